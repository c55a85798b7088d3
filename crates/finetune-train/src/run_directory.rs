//! The directory of a run: `plan.toml`, `events.jsonl`, `model/`.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use finetune_models::{SequenceClassifier, write_directory};
use finetune_peft::AdapterFile;

use crate::{ADAPTER, Event, Observer, TrainError, TrainPlan};

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

    /// Writes the plan. From here on the directory stays. The tokenizer's files of saved models
    /// come from `tokenizer_from`, the base model's directory.
    pub fn begin(&mut self, plan: &TrainPlan, tokenizer_from: &Path) -> Result<(), TrainError> {
        let path = self.path.join("plan.toml");
        let text = toml::to_string(plan)
            .map_err(|error| TrainError::Plan(format!("cannot write the plan as TOML: {error}")))?;
        write_synced(&path, text.as_bytes()).map_err(TrainError::write(&path))?;
        self.tokenizer_from = tokenizer_from.into();
        self.begun = true;
        Ok(())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the best model is.
    pub fn model(&self) -> PathBuf {
        self.path.join("model")
    }

    /// Saves a model, or with `adapter` its adapter alone, as `model/`. The first time the directory
    /// appears whole; afterwards only the weights are replaced, by a rename.
    pub fn save_model(
        &self,
        model: &SequenceClassifier,
        adapter: Option<&AdapterFile>,
    ) -> Result<(), TrainError> {
        let directory = self.model();
        if let Some(adapter) = adapter {
            return self.save_adapter(model, adapter, &directory);
        }
        if !directory.exists() {
            return Ok(model.save(&directory, &self.tokenizer_from)?);
        }
        let weights = directory.join("model.safetensors");
        let partial = directory.join(".model.safetensors.partial");
        let saved = model.save_weights(&partial).map_err(TrainError::from);
        let renamed = saved
            .and_then(|()| fs::rename(&partial, &weights).map_err(TrainError::write(&weights)));
        if renamed.is_err() {
            let _ = fs::remove_file(&partial);
        }
        renamed
    }

    /// The adapter, the configuration with the labels and the tokenizer: beside its place, then
    /// renamed; afterwards the weights alone.
    fn save_adapter(
        &self,
        model: &SequenceClassifier,
        adapter: &AdapterFile,
        directory: &Path,
    ) -> Result<(), TrainError> {
        if !directory.exists() {
            return write_directory(directory, |partial| {
                finetune_peft::save_adapter(model, ADAPTER, adapter, partial)?;
                Ok(model.save_settings(partial, &self.tokenizer_from)?)
            });
        }
        let partial = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(&self.path)
            .map_err(TrainError::write(&self.path))?;
        finetune_peft::save_adapter(model, ADAPTER, adapter, partial.path())?;
        let weights = directory.join("adapter_model.safetensors");
        fs::rename(partial.path().join("adapter_model.safetensors"), &weights)
            .map_err(TrainError::write(&weights))
    }

    /// An observer that writes `events.jsonl`.
    pub fn event_log(&self) -> Result<EventLog, TrainError> {
        let path = self.path.join("events.jsonl");
        let file = File::create_new(&path).map_err(TrainError::write(&path))?;
        Ok(EventLog {
            path,
            file: BufWriter::new(file),
        })
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

/// Writes one JSON object per event and line.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Observer for EventLog {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        if event.is_transient() {
            return Ok(());
        }
        let write = |file: &mut BufWriter<File>| -> std::io::Result<()> {
            serde_json::to_writer(&mut *file, event)?;
            file.write_all(b"\n")?;
            // A killed run has its log up to here.
            file.flush()
        };
        write(&mut self.file).map_err(TrainError::write(&self.path))
    }
}

/// Writes a file and waits until it is on the disk.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Writes a JSON file beside its place and renames it.
pub fn write_json(path: &Path, value: &serde_json::Value) -> Result<(), TrainError> {
    let partial = path.with_extension("json.partial");
    write_synced(&partial, format!("{value:#}\n").as_bytes())
        .and_then(|()| fs::rename(&partial, path))
        .map_err(TrainError::write(path))
}
