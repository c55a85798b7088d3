//! The directory of a run: `plan.toml`, `manifest.json`, `events.jsonl`, `checkpoints/`, `model/`,
//! `results.json`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use finetune_checkpoint::{Checkpoint, CheckpointDirectory};
use finetune_data::shell_word;
use finetune_files::{DirectoryLock, IoContext, LockError, is_partial, publish_directory};
use finetune_models::WEIGHTS;
use finetune_peft::AdapterFile;
use serde_json::Value;

use crate::{
    FileFacts, Manifest, ModelSettings, SavedPlan, TrainError, TrainPlan, TrainedModel,
    layout::{self, CHECKPOINTS, EVENTS, INITIAL, MODEL, PLAN, RESULTS, TEACHER},
    run::{checkpoints::TRAINING_FILES, saved_plan::lost, write::write_text},
};

/// The directory of a run. Until [`begin`](Self::begin) it is only reserved: dropping it earlier
/// removes the directory, so a run that never begins leaves nothing. A lock keeps other processes from
/// working on the run.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// Parent directories created for it, the innermost first.
    made: Vec<PathBuf>,
    /// Whether the directory existed before, without anything worth keeping.
    existed: bool,
    tokenizer_from: PathBuf,
    /// The settings saved with the models; before the run begins, only the training files are set.
    settings: ModelSettings,
    begun: bool,
    /// Dropped last, after all other fields; `None` if the run is opened for reading only.
    lock: Option<DirectoryLock>,
}

impl RunDirectory {
    /// Creates the directory. It must not exist, or must contain nothing but what a run left that was
    /// killed before it began.
    ///
    /// # Errors
    /// Fails with [`TrainError::RunDirectory`] if the directory cannot be used, and with
    /// [`TrainError::Lock`] if another process holds it.
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
        // Checked before a lock file is created in somebody else's directory, and again under the lock.
        for _ in 0..2 {
            if !holds_nothing(path) {
                run.begun = true;
                return Err(refuse(match path.join(PLAN).exists() {
                    true if run.is_complete() => "it has a complete run, and nothing is overwritten".into(),
                    true => "it has a run that is not complete (--resume auto resumes it), and nothing is overwritten".into(),
                    false => lost(path).unwrap_or("it exists already, and nothing is overwritten".into()),
                }));
            }
            if run.lock.is_none() {
                // The process that holds the lock removes the directory, or begins the run.
                run.begun = true;
                run.lock = Some(DirectoryLock::take(path)?);
                run.begun = false;
            }
        }
        remove_leftovers(path)?;
        remove_initial(path)?;
        Ok(run)
    }

    /// Opens the directory of an existing run, with its plan, to resume it. Half-written files of a
    /// killed session are removed.
    ///
    /// # Errors
    /// Fails with [`TrainError::NoRun`] if there is no run, and with [`TrainError::Lock`] if another
    /// process works on it.
    pub fn open(path: &Path) -> Result<(Self, SavedPlan), TrainError> {
        let (mut run, _) = Self::read(path)?;
        run.lock = match DirectoryLock::take(path) {
            Ok(lock) => Some(lock),
            // A complete run needs no lock: nothing will be written.
            Err(error) if run.is_complete() && !is_taken(&error) => None,
            Err(error) => return Err(error.into()),
        };
        if run.lock.is_some() {
            remove_leftovers(path)?;
        }
        // Another process may have changed the plan before the lock was taken.
        let plan = SavedPlan::read(path)?;
        Ok((run, plan))
    }

    /// Opens the directory of an existing run, with its plan, for reading only.
    ///
    /// # Errors
    /// Fails with [`TrainError::NoRun`] if there is no run.
    pub fn read(path: &Path) -> Result<(Self, SavedPlan), TrainError> {
        if !path.join(PLAN).exists() {
            let problem = match path.exists() {
                false => "it does not exist".into(),
                true if DirectoryLock::is_taken(path) => {
                    DirectoryLock::take(path)?;
                    format!("it has no {PLAN}")
                }
                true if holds_nothing(path) => format!(
                    "it has no {PLAN}: the run ended before it began, so there is nothing to resume; start it again with the command that began it and --output {}",
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

    /// Returns whether the run has begun, which writes its plan.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Writes the plan; from then on the directory is kept. Saved models get the tokenizer's files from
    /// `tokenizer_from`, the base model's directory.
    ///
    /// # Errors
    /// Fails with [`TrainError::File`] if the plan cannot be written.
    pub fn begin(&mut self, plan: &TrainPlan, tokenizer_from: &Path) -> Result<(), TrainError> {
        let path = self.path.join(PLAN);
        write_text(&path, &plan.to_toml()?)?;
        self.tokenizer_from = tokenizer_from.into();
        let train_files = std::mem::take(&mut self.settings.train_files);
        self.settings = ModelSettings::new(plan, train_files);
        self.begun = true;
        Ok(())
    }

    /// Replaces the plan of an existing run. The manifest is written first: a run that is killed in
    /// between resumes with the plan of its checkpoints.
    ///
    /// # Errors
    /// Fails if the manifest cannot be read, or a file cannot be written.
    pub fn change_plan(&mut self, plan: &TrainPlan) -> Result<(), TrainError> {
        if let Some(mut manifest) = Manifest::read(&self.path)? {
            manifest.plan = plan.clone();
            manifest.plan_sha256 = plan.sha256()?;
            manifest.write(&self.path)?;
        }
        write_text(&self.path.join(PLAN), &plan.to_toml()?)
    }

    /// Sets the files of the training rows, which are listed in saved models.
    pub(crate) fn set_train_files(&mut self, files: Vec<FileFacts>) {
        self.settings.train_files = files;
    }

    /// Returns the settings saved with models.
    pub(crate) fn settings(&self) -> &ModelSettings {
        &self.settings
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the kept model.
    pub fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    /// Returns the directory of the checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// Returns the paths of all checkpoints, including damaged ones, the newest last.
    ///
    /// # Errors
    /// Fails if the directory cannot be read.
    pub fn checkpoint_paths(&self) -> Result<Vec<PathBuf>, TrainError> {
        let checkpoints = CheckpointDirectory::new(self.checkpoints());
        let steps = checkpoints.steps()?.into_iter();
        Ok(steps.map(|step| checkpoints.path_of(step)).collect())
    }

    /// Returns the path of the event log.
    pub fn events(&self) -> PathBuf {
        self.path.join(EVENTS)
    }

    /// Returns the path of the results, which exist once the run is complete.
    pub fn results(&self) -> PathBuf {
        self.path.join(RESULTS)
    }

    /// Returns whether the run is complete, so that there is nothing to resume.
    pub fn is_complete(&self) -> bool {
        layout::is_complete(&self.path)
    }

    /// Refuses to work on a run that is complete or was opened by [`read`](Self::read).
    pub(crate) fn check_open(&self) -> Result<(), TrainError> {
        if self.is_complete() {
            return Err(TrainError::RunDirectory {
                path: self.path.clone(),
                problem: "it has a complete run, so there is nothing to resume".into(),
                source: None,
            });
        }
        match &self.lock {
            Some(_) => Ok(()),
            None => Err(TrainError::Internal(format!(
                "{} was opened for reading only; open it with RunDirectory::open",
                self.path.display()
            ))),
        }
    }

    /// Finds a file of weights or the tokenizer in `model/` that differs from what a complete run saved
    /// as its best model; returned with the checkpoint that still has the original.
    pub fn changed_model(&self) -> Option<(PathBuf, PathBuf)> {
        let results: Value = serde_json::from_slice(&fs::read(self.results()).ok()?).ok()?;
        if results["lost_best"].is_object() {
            return None;
        }
        let step = results["best_step"].as_u64()?;
        let path = CheckpointDirectory::new(self.checkpoints()).path_of(step);
        let checkpoint = Checkpoint::open_manifest(&path).ok()?;
        let changed = checkpoint.names().find(|name| {
            // Other files may have been changed on purpose, such as config.json by `--find-thresholds`.
            (name.ends_with(WEIGHTS) || *name == "tokenizer.json")
                && !checkpoint.is_copy(name, &self.model().join(name))
                && checkpoint.verified(name).is_ok()
        });
        changed.map(|name| (self.model().join(name), path.clone()))
    }

    /// Returns the directory from which saved models get the tokenizer's files.
    pub(crate) fn tokenizer_from(&self) -> &Path {
        &self.tokenizer_from
    }

    /// Saves a model, or only its adapter, as `model/`, which appears complete.
    pub(crate) fn save_model(
        &self,
        model: &impl TrainedModel,
        adapter: Option<&AdapterFile>,
    ) -> Result<(), TrainError> {
        self.replace_model(|partial| {
            model.write(adapter, partial, &self.tokenizer_from)?;
            self.settings.write(partial)
        })
    }

    /// Publishes the model of a checkpoint as `model/`, after verifying all its files. Other files of
    /// the checkpoint may be damaged. A damaged small file is replaced by an intact copy, which a note
    /// reports.
    ///
    /// # Errors
    /// Fails with [`TrainError::Checkpoint`] if the model is damaged, and with [`TrainError::File`] if
    /// a file cannot be written.
    pub(crate) fn adopt(&self, checkpoint: &Path) -> Result<Vec<String>, TrainError> {
        let checkpoint = Checkpoint::open_manifest(checkpoint)?;
        let names = checkpoint
            .names()
            .filter(|name| !TRAINING_FILES.contains(name));
        let (mut files, mut notes) = (Vec::new(), Vec::new());
        for name in names {
            let from = match checkpoint.verified(name) {
                Err(error) if error.is_damage() => {
                    let intact_copy = self.intact_copy(&checkpoint, name).ok_or(error)?;
                    notes.push(format!(
                        "{} of the best checkpoint is damaged; the identical {} is used instead",
                        name,
                        intact_copy.display()
                    ));
                    intact_copy
                }
                other => other?,
            };
            files.push((name, from));
        }
        self.replace_model(|partial| {
            for (name, from) in files {
                let to = partial.join(name);
                fs::copy(from, &to).context("write", &to)?;
            }
            // Checkpoints of earlier versions lack this file.
            match partial.join(ModelSettings::FILE).exists() {
                true => Ok(()),
                false => self.settings.write(partial),
            }
        })?;
        Ok(notes)
    }

    /// Finds another file with the original content of a checkpoint's file.
    fn intact_copy(&self, checkpoint: &Checkpoint, name: &str) -> Option<PathBuf> {
        let checkpoints = CheckpointDirectory::new(self.checkpoints());
        let steps = checkpoints.steps().unwrap_or_default().into_iter();
        let mut places = steps
            .map(|step| checkpoints.path_of(step))
            .chain([self.tokenizer_from.clone()])
            .map(|place| place.join(name));
        places.find(|place| checkpoint.is_copy(name, place))
    }

    /// Fills `model/`, replacing what a killed session left.
    fn replace_model(
        &self,
        fill: impl FnOnce(&Path) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let directory = self.model();
        if directory.exists() {
            fs::remove_dir_all(&directory).context("write", &directory)?;
        }
        publish_directory(&directory, fill)
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        match (self.begun, self.existed) {
            (true, _) => {}
            (false, true) => {
                let _ = remove_leftovers(&self.path);
                let _ = remove_initial(&self.path);
            }
            (false, false) => {
                let _ = fs::remove_dir_all(&self.path);
                remove_empty(&self.made);
            }
        }
    }
}

/// Creates a directory, and returns the parent directories it had to create, the innermost first.
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

/// The file that [`DirectoryLock`] creates.
const LOCK: &str = ".lock";

/// Files that are written under a temporary name and renamed.
const REPLACED: [&str; 4] = [PLAN, Manifest::FILE, RESULTS, EVENTS];

/// Returns whether a name in a run directory belongs to a half-written file or model.
fn is_leftover(name: &OsStr) -> bool {
    // Earlier versions wrote some files under fixed temporary names.
    let file = name.to_str().and_then(|name| name.strip_suffix(".partial"));
    is_partial(name) || file.is_some_and(|file| REPLACED.contains(&file))
}

/// Returns whether a directory contains nothing worth keeping: at most what a run leaves that is killed
/// before it begins.
fn holds_nothing(path: &Path) -> bool {
    let is_lock = |name: &OsStr| name == LOCK;
    let is_initial = |name: &OsStr| name == INITIAL && path.join(LOCK).exists();
    let entries =
        fs::read_dir(path).map(|entries| entries.map(|entry| entry.map(|entry| entry.file_name())));
    entries.is_ok_and(|mut names| {
        names.all(|name| {
            name.is_ok_and(|name| is_lock(&name) || is_initial(&name) || is_leftover(&name))
        })
    })
}

/// Removes the initial model of a run that has not begun.
fn remove_initial(path: &Path) -> Result<(), TrainError> {
    let initial = path.join(INITIAL);
    match initial.exists() {
        true => Ok(fs::remove_dir_all(&initial).context("write", &initial)?),
        false => Ok(()),
    }
}

/// Removes what killed sessions left half-written in a run directory.
fn remove_leftovers(path: &Path) -> Result<(), TrainError> {
    let entries = fs::read_dir(path).context("write", path)?;
    let of_teacher = fs::read_dir(path.join(TEACHER)).into_iter().flatten();
    for entry in entries
        .chain(of_teacher)
        .flatten()
        .filter(|entry| is_leftover(&entry.file_name()))
    {
        let path = entry.path();
        let removed = match path.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        removed.context("write", &path)?;
    }
    Ok(())
}

fn is_taken(error: &LockError) -> bool {
    matches!(error, LockError::Taken { .. })
}

/// Removes the folders that are empty, in this order.
fn remove_empty(folders: &[PathBuf]) {
    for folder in folders {
        let _ = fs::remove_dir(folder);
    }
}
