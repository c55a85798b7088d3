//! The directory of a run: `plan.toml`, `events.jsonl`, `checkpoints/`, `model/`.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use finetune_checkpoint::Checkpoint;
use finetune_models::{SequenceClassifier, write_directory};
use finetune_peft::AdapterFile;
use serde_json::Value;

use crate::{
    ADAPTER, EventLog, TrainError, TrainPlan,
    checkpoints::{OPTIMIZER, STATE, TRAINED},
};

const PLAN: &str = "plan.toml";

/// A run's directory. Until [`begin`](Self::begin) it is only reserved: dropped before that, it is
/// removed, so that a run that never began leaves nothing.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// Folders above it that were made for it, the innermost first.
    made: Vec<PathBuf>,
    tokenizer_from: PathBuf,
    begun: bool,
}

impl RunDirectory {
    /// Makes the directory, which must not exist.
    pub fn create(path: &Path) -> Result<Self, TrainError> {
        let refuse = |problem: String| TrainError::RunDirectory {
            path: path.into(),
            problem,
        };
        if path.exists() {
            return Err(refuse(
                "it exists already, and nothing is overwritten".into(),
            ));
        }
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
            return Err(refuse(format!("{} is not a directory", file.display())));
        }
        let created = fs::create_dir_all(path.parent().unwrap_or(path));
        if let Err(error) = created.and_then(|()| fs::create_dir(path)) {
            remove_empty(&made);
            return Err(refuse(error.to_string()));
        }
        Ok(Self {
            path: path.into(),
            made,
            tokenizer_from: PathBuf::new(),
            begun: false,
        })
    }

    /// Opens the directory of a run that has begun, with its plan.
    pub fn open(path: &Path) -> Result<(Self, TrainPlan), TrainError> {
        let file = path.join(PLAN);
        let problem = |problem: String| TrainError::NoRun {
            path: path.into(),
            problem,
        };
        if !file.exists() {
            return Err(problem(match path.exists() {
                true => format!("it has no {PLAN}"),
                false => "it does not exist".into(),
            }));
        }
        let text = fs::read_to_string(&file).map_err(|error| problem(error.to_string()))?;
        let plan = toml::from_str(&text).map_err(|error| problem(format!("{PLAN}: {error}")))?;
        let run = Self {
            path: path.into(),
            made: Vec::new(),
            tokenizer_from: PathBuf::new(),
            begun: true,
        };
        Ok((run, plan))
    }

    /// Writes the plan. From here on the directory stays. The tokenizer's files of saved models
    /// come from `tokenizer_from`, the base model's directory.
    pub fn begin(&mut self, plan: &TrainPlan, tokenizer_from: &Path) -> Result<(), TrainError> {
        let path = self.path.join(PLAN);
        let text = toml::to_string(plan)
            .map_err(|error| TrainError::Plan(format!("cannot write the plan as TOML: {error}")))?;
        replace(&path, text.as_bytes())?;
        self.tokenizer_from = tokenizer_from.into();
        self.begun = true;
        Ok(())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the result is.
    pub fn model(&self) -> PathBuf {
        self.path.join("model")
    }

    /// Where the checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Where the results are, once the run is complete.
    pub fn results(&self) -> PathBuf {
        self.path.join("results.json")
    }

    /// Whether the run is complete: there is nothing to resume.
    pub fn is_complete(&self) -> bool {
        self.results().exists()
    }

    /// Where the tokenizer's files of saved models come from.
    pub fn tokenizer_from(&self) -> &Path {
        &self.tokenizer_from
    }

    /// Saves a model, or with `adapter` its adapter alone, as `model/`, which appears whole.
    pub fn save_model(
        &self,
        model: &SequenceClassifier,
        adapter: Option<&AdapterFile>,
    ) -> Result<(), TrainError> {
        self.replace_model(|partial| match adapter {
            None => {
                model.save_settings(partial, &self.tokenizer_from)?;
                Ok(model.save_weights(&partial.join("model.safetensors"))?)
            }
            Some(adapter) => {
                finetune_peft::save_adapter(model, ADAPTER, adapter, partial)?;
                Ok(model.save_settings(partial, &self.tokenizer_from)?)
            }
        })
    }

    /// Makes the model of a checkpoint `model/`, once every file of it has verified.
    pub fn adopt(&self, checkpoint: &Path) -> Result<(), TrainError> {
        let checkpoint = Checkpoint::open(checkpoint)?;
        self.replace_model(|partial| {
            let own = [STATE, OPTIMIZER, TRAINED];
            for name in checkpoint.names().filter(|name| !own.contains(name)) {
                let to = partial.join(name);
                fs::copy(checkpoint.file(name)?, &to)
                    .and_then(|_| File::open(&to)?.sync_all())
                    .map_err(TrainError::write(&to))?;
            }
            Ok(())
        })
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
        write_directory(&directory, fill)
    }

    /// An observer that writes `events.jsonl`: from the start, or on from where a checkpoint was
    /// taken.
    pub fn event_log(&self, states: &BTreeMap<String, Value>) -> Result<EventLog, TrainError> {
        let path = self.path.join("events.jsonl");
        let position = states.get(EventLog::NAME).and_then(Value::as_u64);
        EventLog::open(path.clone(), position.unwrap_or(0)).map_err(TrainError::write(&path))
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        if !self.begun {
            let _ = fs::remove_dir_all(&self.path);
            remove_empty(&self.made);
        }
    }
}

/// Removes those folders that are empty, in this order.
fn remove_empty(folders: &[PathBuf]) {
    for folder in folders {
        let _ = fs::remove_dir(folder);
    }
}

/// Writes a file and waits until it is on the disk.
fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Writes a JSON file beside its place and renames it.
pub fn write_json(path: &Path, value: &Value) -> Result<(), TrainError> {
    replace(path, format!("{value:#}\n").as_bytes())
}

/// Writes a file beside its place and renames it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = write_synced(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&partial);
        TrainError::write(path)(error)
    })
}
