//! The directory of a run: `plan.toml`, `manifest.json`, `events.jsonl`, `checkpoints/`, `model/`,
//! `results.json`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use finetune_checkpoint::{Checkpoint, CheckpointDirectory};
use finetune_data::shell_word;
use finetune_files::{DirectoryLock, LockError, is_partial, publish_directory};
use finetune_models::{SequenceClassifier, WEIGHTS};
use finetune_peft::AdapterFile;
use serde_json::Value;

use crate::{
    ADAPTER, FileFacts, Manifest, ModelSettings, SavedPlan, TrainError, TrainPlan,
    layout::{self, CHECKPOINTS, EVENTS, MODEL, PLAN, RESULTS},
    run::{checkpoints::NOT_OF_THE_MODEL, saved_plan::lost, write::write_text},
};

/// A run's directory. Until [`begin`](Self::begin) it is only reserved: dropped before that, it is
/// removed, so that a run that never began leaves nothing. Nobody else can work on the run meanwhile.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// Folders above it that were made for it, the innermost first.
    made: Vec<PathBuf>,
    /// Whether it was there before, with nothing worth keeping in it.
    existed: bool,
    tokenizer_from: PathBuf,
    /// What is kept with the models; until the run begins, of its training files alone.
    settings: ModelSettings,
    begun: bool,
    /// Let go after the rest; none of a run that is only looked at.
    lock: Option<DirectoryLock>,
}

impl RunDirectory {
    /// Makes the directory, which must not exist, or hold nothing but what a run left that was killed
    /// before it began.
    ///
    /// # Errors
    /// [`TrainError::RunDirectory`], and [`TrainError::Checkpoint`] if another process has it.
    pub fn create(path: &Path) -> Result<Self, TrainError> {
        let refuse = |problem: String| TrainError::RunDirectory {
            path: path.into(),
            problem,
            source: None,
        };
        let existed = path.exists();
        let made = match existed {
            true => Vec::new(),
            false => make(path)?,
        };
        let mut run = Self {
            path: path.into(),
            made,
            existed,
            tokenizer_from: PathBuf::new(),
            settings: ModelSettings::new(&TrainPlan::blank(), Vec::new()),
            begun: false,
            lock: None,
        };
        // Before the lock's file is made in a directory that is not ours, and again once it is locked.
        for _ in 0..2 {
            if !holds_nothing(path) {
                run.begun = true;
                return Err(refuse(match path.join(PLAN).exists() {
                    true if run.is_complete() => "it has a complete run, and nothing is overwritten".into(),
                    true => "it has a run that is not complete (--resume auto goes on with it), and nothing is overwritten".into(),
                    false => lost(path).unwrap_or("it exists already, and nothing is overwritten".into()),
                }));
            }
            if run.lock.is_none() {
                // Whoever has it removes it, or begins.
                run.begun = true;
                run.lock = Some(DirectoryLock::take(path)?);
                run.begun = false;
            }
        }
        remove_leftovers(path)?;
        Ok(run)
    }

    /// Opens the directory of a run that has begun, with its plan, to go on with it. What a killed
    /// session left half-written is removed.
    ///
    /// # Errors
    /// [`TrainError::NoRun`], and [`TrainError::Checkpoint`] if another process works on the run.
    pub fn open(path: &Path) -> Result<(Self, SavedPlan), TrainError> {
        let (mut run, _) = Self::read(path)?;
        run.lock = match DirectoryLock::take(path) {
            Ok(lock) => Some(lock),
            // There is nothing to write.
            Err(error) if run.is_complete() && !is_taken(&error) => None,
            Err(error) => return Err(error.into()),
        };
        if run.lock.is_some() {
            remove_leftovers(path)?;
        }
        // Another process may have worked on it until now.
        let plan = SavedPlan::read(path)?;
        Ok((run, plan))
    }

    /// The directory of a run that has begun, with its plan, to look at only.
    ///
    /// # Errors
    /// [`TrainError::NoRun`].
    pub fn read(path: &Path) -> Result<(Self, SavedPlan), TrainError> {
        if !path.join(PLAN).exists() {
            let problem = match path.exists() {
                false => "it does not exist".into(),
                true if DirectoryLock::is_taken(path) => {
                    DirectoryLock::take(path)?;
                    format!("it has no {PLAN}")
                }
                true if holds_nothing(path) => format!(
                    "it has no {PLAN}: the run was ended before it began, and there is nothing to go on with; begin it anew with `finetune train … --output {}`",
                    shell_word(&path.display().to_string())
                ),
                true => lost(path).unwrap_or(format!("it has no {PLAN}")),
            };
            return Err(TrainError::NoRun {
                path: path.into(),
                problem,
            });
        }
        let run = Self {
            path: path.into(),
            made: Vec::new(),
            existed: true,
            tokenizer_from: PathBuf::new(),
            settings: ModelSettings::new(&TrainPlan::blank(), Vec::new()),
            begun: true,
            lock: None,
        };
        let plan = SavedPlan::read(path)?;
        Ok((run, plan))
    }

    /// Whether the run has begun: its plan is written.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Writes the plan. From here on the directory stays. The tokenizer's files of saved models
    /// come from `tokenizer_from`, the base model's directory.
    pub fn begin(&mut self, plan: &TrainPlan, tokenizer_from: &Path) -> Result<(), TrainError> {
        let path = self.path.join(PLAN);
        write_text(&path, &plan.to_toml()?)?;
        self.tokenizer_from = tokenizer_from.into();
        let train_files = std::mem::take(&mut self.settings.train_files);
        self.settings = ModelSettings::new(plan, train_files);
        self.begun = true;
        Ok(())
    }

    /// Gives a run that has begun another plan: the manifest's first, so that one that is killed between
    /// goes on by the plan of its checkpoints.
    ///
    /// # Errors
    /// [`TrainError::File`], or the manifest cannot be read.
    pub fn change_plan(&mut self, plan: &TrainPlan) -> Result<(), TrainError> {
        if let Some(mut manifest) = Manifest::read(&self.path)? {
            manifest.plan = plan.clone();
            manifest.plan_sha256 = plan.sha256()?;
            manifest.write(&self.path)?;
        }
        write_text(&self.path.join(PLAN), &plan.to_toml()?)
    }

    /// Names the files of the training rows, which saved models keep.
    pub(crate) fn set_train_files(&mut self, files: Vec<FileFacts>) {
        self.settings.train_files = files;
    }

    /// What is kept with saved models.
    pub(crate) fn settings(&self) -> &ModelSettings {
        &self.settings
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the result is.
    pub fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    /// Where the checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// Where each checkpoint is, damaged ones too, the newest last.
    ///
    /// # Errors
    /// A directory that cannot be read.
    pub fn checkpoint_paths(&self) -> Result<Vec<PathBuf>, TrainError> {
        let checkpoints = CheckpointDirectory::new(self.checkpoints());
        let steps = checkpoints.steps()?.into_iter();
        Ok(steps.map(|step| checkpoints.path_of(step)).collect())
    }

    /// Where the event log is.
    pub fn events(&self) -> PathBuf {
        self.path.join(EVENTS)
    }

    /// Where the results are, once the run is complete.
    pub fn results(&self) -> PathBuf {
        self.path.join(RESULTS)
    }

    /// Whether the run is complete: there is nothing to resume.
    pub fn is_complete(&self) -> bool {
        layout::is_complete(&self.path)
    }

    /// Refuses to work on a run that is complete, or that [`read`](Self::read) opened.
    pub(crate) fn check_open(&self) -> Result<(), TrainError> {
        if self.is_complete() {
            return Err(TrainError::RunDirectory {
                path: self.path.clone(),
                problem: "it has a complete run, and there is nothing to go on with".into(),
                source: None,
            });
        }
        match &self.lock {
            Some(_) => Ok(()),
            None => Err(TrainError::Internal(format!(
                "{} was opened to be looked at only; open it with RunDirectory::open",
                self.path.display()
            ))),
        }
    }

    /// Of a complete run whose result is its best model: a file of weights or the tokenizer in `model/`
    /// that is no longer what the run saved, and the checkpoint that still has it.
    pub fn changed_model(&self) -> Option<(PathBuf, PathBuf)> {
        let results: Value = serde_json::from_slice(&fs::read(self.results()).ok()?).ok()?;
        if results["lost_best"].is_object() {
            return None;
        }
        let step = results["best_step"].as_u64()?;
        let path = CheckpointDirectory::new(self.checkpoints()).path_of(step);
        let checkpoint = Checkpoint::open_manifest(&path).ok()?;
        let changed = checkpoint.names().find(|name| {
            // Other files may have been changed on purpose, as config.json by `--find-thresholds`.
            (name.ends_with(WEIGHTS) || *name == "tokenizer.json")
                && !checkpoint.is_copy(name, &self.model().join(name))
                && checkpoint.verified(name).is_ok()
        });
        changed.map(|name| (self.model().join(name), path.clone()))
    }

    /// Where the tokenizer's files of saved models come from.
    pub(crate) fn tokenizer_from(&self) -> &Path {
        &self.tokenizer_from
    }

    /// Saves a model, or with `adapter` its adapter alone, as `model/`, which appears whole.
    pub(crate) fn save_model(
        &self,
        model: &SequenceClassifier,
        adapter: Option<&AdapterFile>,
    ) -> Result<(), TrainError> {
        self.replace_model(|partial| {
            match adapter {
                None => model.save_weights(&partial.join(WEIGHTS))?,
                Some(adapter) => finetune_peft::save_adapter(model, ADAPTER, adapter, partial)?,
            }
            model.save_settings(partial, &self.tokenizer_from)?;
            self.settings.write(partial)
        })
    }

    /// Makes the model of a checkpoint `model/`, once every file of it has verified. What else is in the
    /// checkpoint may be damaged; of a small file that is, another whole copy is taken, and a note
    /// returned.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] with damage if the model is not what it was, [`TrainError::File`].
    pub(crate) fn adopt(&self, checkpoint: &Path) -> Result<Vec<String>, TrainError> {
        let checkpoint = Checkpoint::open_manifest(checkpoint)?;
        let names = checkpoint
            .names()
            .filter(|name| !NOT_OF_THE_MODEL.contains(name));
        let (mut files, mut notes) = (Vec::new(), Vec::new());
        for name in names {
            let from = match checkpoint.verified(name) {
                Err(error) if error.is_damage() => {
                    let spare = self.spare(&checkpoint, name).ok_or(error)?;
                    notes.push(format!(
                        "{} of the best checkpoint is damaged; {} is the same, and taken instead",
                        name,
                        spare.display()
                    ));
                    spare
                }
                other => other?,
            };
            files.push((name, from));
        }
        self.replace_model(|partial| {
            for (name, from) in files {
                let to = partial.join(name);
                fs::copy(from, &to).map_err(TrainError::write(&to))?;
            }
            // An older version's checkpoint has none.
            match partial.join(ModelSettings::FILE).exists() {
                true => Ok(()),
                false => self.settings.write(partial),
            }
        })?;
        Ok(notes)
    }

    /// Another file with the content that one of a checkpoint was written with.
    fn spare(&self, checkpoint: &Checkpoint, name: &str) -> Option<PathBuf> {
        let checkpoints = CheckpointDirectory::new(self.checkpoints());
        let steps = checkpoints.steps().unwrap_or_default().into_iter();
        let mut places = steps
            .map(|step| checkpoints.path_of(step))
            .chain([self.tokenizer_from.clone()])
            .map(|place| place.join(name));
        places.find(|place| checkpoint.is_copy(name, place))
    }

    /// Fills `model/`; one that a killed session left is replaced.
    fn replace_model(
        &self,
        fill: impl FnOnce(&Path) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let directory = self.model();
        if directory.exists() {
            fs::remove_dir_all(&directory).map_err(TrainError::write(&directory))?;
        }
        publish_directory(&directory, fill)
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        match (self.begun, self.existed) {
            (true, _) => {}
            (false, true) => drop(remove_leftovers(&self.path)),
            (false, false) => {
                let _ = fs::remove_dir_all(&self.path);
                remove_empty(&self.made);
            }
        }
    }
}

/// Makes a directory, and returns the folders above it that had to be made, the innermost first.
fn make(path: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let refuse = |problem, source| TrainError::RunDirectory {
        path: path.into(),
        problem,
        source,
    };
    let parents = path.ancestors().skip(1);
    let parents = parents.filter(|parent| !parent.as_os_str().is_empty());
    let (mut made, mut above) = (Vec::new(), None);
    for parent in parents {
        if parent.exists() {
            above = Some(parent);
            break;
        }
        made.push(parent.to_path_buf());
    }
    if let Some(file) = above.filter(|above| !above.is_dir()) {
        let problem = format!("{} is not a directory", file.display());
        return Err(refuse(problem, None));
    }
    let created = fs::create_dir_all(path.parent().unwrap_or(path));
    match created.and_then(|()| fs::create_dir(path)) {
        Ok(()) => Ok(made),
        Err(error) => {
            remove_empty(&made);
            Err(refuse(error.to_string(), Some(error)))
        }
    }
}

/// Files that are written beside their place and renamed.
const REPLACED: [&str; 4] = [PLAN, Manifest::FILE, RESULTS, EVENTS];

/// Whether a name in a run directory is that of something half-written: of a file, or of `model/`.
fn is_leftover(name: &OsStr) -> bool {
    // Versions before this one wrote some files under one name.
    let file = name.to_str().and_then(|name| name.strip_suffix(".partial"));
    is_partial(name) || file.is_some_and(|file| REPLACED.contains(&file))
}

/// Whether a directory has nothing that is worth keeping: only what a run leaves that is killed before
/// it has begun.
fn holds_nothing(path: &Path) -> bool {
    let islock = |name: &OsStr| name == ".lock";
    let entries =
        fs::read_dir(path).map(|entries| entries.map(|entry| entry.map(|entry| entry.file_name())));
    entries.is_ok_and(|mut names| {
        names.all(|name| name.is_ok_and(|name| islock(&name) || is_leftover(&name)))
    })
}

/// Removes what killed sessions have left half-written in a run directory.
fn remove_leftovers(path: &Path) -> Result<(), TrainError> {
    let entries = fs::read_dir(path).map_err(TrainError::write(path))?;
    for entry in entries
        .flatten()
        .filter(|entry| is_leftover(&entry.file_name()))
    {
        let path = entry.path();
        let removed = match path.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        removed.map_err(TrainError::write(&path))?;
    }
    Ok(())
}

fn is_taken(error: &LockError) -> bool {
    matches!(error, LockError::Taken { .. })
}

/// Removes those folders that are empty, in this order.
fn remove_empty(folders: &[PathBuf]) {
    for folder in folders {
        let _ = fs::remove_dir(folder);
    }
}
