//! The kept model of a complete run, compared with what the run saved, and restored if it is damaged, before
//! another run builds on it.

use std::{fs, path::PathBuf};

use finetune_checkpoint::{Checkpoint, CheckpointDirectory};
use finetune_data::shell_word;
use finetune_files::IoContext;
use finetune_models::CONFIG;
use serde_json::Value;

use crate::{RunDirectory, TrainError, run::checkpoints::TRAINING_FILES};

impl RunDirectory {
    /// Returns the directory of the kept model, after comparing the SHA-256 of each of its files with that
    /// of the checkpoint that it was copied from, if that is still there. A model that is damaged or gone is
    /// restored from the checkpoint, which the notes say.
    ///
    /// # Errors
    /// Fails with [`TrainError::Damaged`] if a file has changed or is missing and the checkpoint is damaged
    /// too, and with [`TrainError::File`] or [`TrainError::Checkpoint`] if a file of the run cannot be read
    /// or written.
    pub fn verified_model(&self) -> Result<(PathBuf, Vec<String>), TrainError> {
        let (results, model) = (self.results(), self.model());
        let text = fs::read(&results).context("read", &results)?;
        let damaged = |path: PathBuf, problem: String| TrainError::Damaged { path, problem };
        let again = format!(
            "to have it trained again, type\n  rm -r {}\nand resume",
            shell_word(&self.path().display().to_string())
        );
        let value: Value = serde_json::from_slice(&text).map_err(|error| {
            let way_out = format!(
                "to have it written again, type\n  rm {}\nand resume",
                shell_word(&results.display().to_string())
            );
            damaged(results.clone(), format!("{error}; {way_out}"))
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
            return match model.join(CONFIG).exists() {
                true => Ok((model, Vec::new())),
                false => Err(damaged(model, format!("it has no {CONFIG}; {again}"))),
            };
        };
        let saved = match Checkpoint::open_manifest(&checkpoint) {
            Err(error) if error.is_damage() => {
                let problem = format!("{error}; the model cannot be compared with it; {again}");
                return Err(damaged(checkpoint, problem));
            }
            other => other?,
        };
        let mut names = saved.names().filter(|name| !TRAINING_FILES.contains(name));
        let Some(changed) = names.find(|name| !saved.is_copy(name, &model.join(name))) else {
            return Ok((model, Vec::new()));
        };
        let path = model.join(changed);
        match self.adopt(&checkpoint) {
            Ok(mut notes) => {
                let (path, checkpoint) = (path.display(), checkpoint.display());
                notes.push(format!(
                    "{path} was not the file that was saved, by its SHA-256; the model is restored from {checkpoint}"
                ));
                Ok((model, notes))
            }
            Err(TrainError::Checkpoint(error)) if error.is_damage() => {
                let problem = "it is not the file that was saved, by its SHA-256, and its checkpoint is damaged too";
                Err(damaged(path, format!("{problem} ({error}); {again}")))
            }
            Err(error) => Err(error),
        }
    }
}
