//! The kept model of a complete run, compared with what the run saved, before another run builds on it.

use std::{fs, path::PathBuf};

use finetune_checkpoint::{Checkpoint, CheckpointDirectory};
use finetune_data::shell_word;
use finetune_files::IoContext;
use serde_json::Value;

use crate::{RunDirectory, TrainError, run::checkpoints::TRAINING_FILES};

impl RunDirectory {
    /// Returns the directory of the kept model, after comparing the SHA-256 of each of its files with that
    /// of the checkpoint that it was copied from, if that is still there.
    ///
    /// # Errors
    /// Fails with [`TrainError::Damaged`] if a file has changed or is missing, and with
    /// [`TrainError::File`] or [`TrainError::Checkpoint`] if a file of the run cannot be read.
    pub fn verified_model(&self) -> Result<PathBuf, TrainError> {
        let (results, model) = (self.results(), self.model());
        let text = fs::read(&results).context("read", &results)?;
        let value: Value = serde_json::from_slice(&text).map_err(|error| TrainError::Damaged {
            path: results.clone(),
            problem: error.to_string(),
        })?;
        let checkpoints = CheckpointDirectory::new(self.checkpoints());
        // Without a best step the last model is kept, and its checkpoint is the newest.
        let step = match value["best_step"].as_u64() {
            Some(step) => Some(step),
            None => checkpoints.steps()?.last().copied(),
        };
        // Where a user has removed the checkpoints, there is nothing to compare with.
        let Some(checkpoint) = step
            .map(|step| checkpoints.path_of(step))
            .filter(|path| path.exists())
        else {
            return Ok(model);
        };
        let checkpoint = Checkpoint::open_manifest(checkpoint)?;
        let names = checkpoint.names();
        for name in names.filter(|name| !TRAINING_FILES.contains(name)) {
            let path = model.join(name);
            if checkpoint.is_copy(name, &path) {
                continue;
            }
            let way_out = match checkpoint.verified(name) {
                Ok(intact) => format!(
                    "restore it with\n  cp {} {}\nand resume",
                    shell_word(&intact.display().to_string()),
                    shell_word(&path.display().to_string())
                ),
                Err(_) => {
                    "and its checkpoint is damaged too, so that a new run has to be begun".into()
                }
            };
            return Err(TrainError::Damaged {
                problem: format!("it is not the file that was saved, by its SHA-256; {way_out}"),
                path,
            });
        }
        Ok(model)
    }
}
