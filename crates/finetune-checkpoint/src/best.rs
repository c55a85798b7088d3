//! `best.json`, which records the step of the best checkpoint.
//!
//! It is written just before the checkpoint gets its name, and also keeps the previous best step, which
//! counts as long as the new checkpoint does not exist. So a kill at any moment neither loses the best
//! checkpoint nor leaves a new best one unmarked.

use std::fs;
use std::io::{self, Write};

use finetune_files::{replace_file, sync_directory};
use serde::{Deserialize, Serialize};

use crate::directory::CheckpointDirectory;
use crate::error::{CheckpointError, IoContext};

const BEST: &str = "best.json";

#[derive(Serialize, Deserialize)]
struct Best {
    step: u64,
    /// The best step as long as there is no checkpoint of `step`.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<u64>,
}

impl Best {
    fn in_force(&self, directory: &CheckpointDirectory) -> Option<u64> {
        let exists = |step: &u64| directory.path_of(*step).is_dir();
        Some(self.step)
            .filter(exists)
            .or(self.previous.filter(exists))
    }
}

/// Reads the best step among those that have a checkpoint.
pub(crate) fn read(directory: &CheckpointDirectory) -> Result<Option<u64>, CheckpointError> {
    Ok(load(directory)?.and_then(|best| best.in_force(directory)))
}

/// Makes `step` the best as soon as its checkpoint exists.
pub(crate) fn write(directory: &CheckpointDirectory, step: u64) -> Result<(), CheckpointError> {
    // A damaged record must not prevent a new one from replacing it.
    let previous = read(directory)
        .unwrap_or(None)
        .filter(|previous| *previous != step);
    store(directory, &Best { step, previous })
}

/// Sets the record to `best`, whatever it was: if the two differ, the caller is right.
pub(crate) fn set(
    directory: &CheckpointDirectory,
    best: Option<u64>,
) -> Result<(), CheckpointError> {
    if matches!(read(directory), Ok(found) if found == best) {
        return Ok(());
    }
    match best {
        Some(step) => store_alone(directory, step),
        None => forget(directory),
    }
}

/// Discards a new best step whose checkpoint was never finished.
pub(crate) fn settle(directory: &CheckpointDirectory) -> Result<(), CheckpointError> {
    let Some(best) = load(directory)? else {
        return Ok(());
    };
    match best.in_force(directory) {
        Some(step) if step == best.step => Ok(()),
        Some(step) => store_alone(directory, step),
        None => forget(directory),
    }
}

/// Records a step that has a checkpoint as the best.
fn store_alone(directory: &CheckpointDirectory, step: u64) -> Result<(), CheckpointError> {
    let previous = None;
    store(directory, &Best { step, previous })
}

fn forget(directory: &CheckpointDirectory) -> Result<(), CheckpointError> {
    let path = directory.path().join(BEST);
    match fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.context("remove", &path)?,
    }
    Ok(sync_directory(directory.path())?)
}

fn store(directory: &CheckpointDirectory, best: &Best) -> Result<(), CheckpointError> {
    let path = directory.path().join(BEST);
    let text = serde_json::to_string(best)
        .map_err(io::Error::from)
        .context("write", &path)?;
    Ok(replace_file(&path, |file| writeln!(file, "{text}"))?)
}

fn load(directory: &CheckpointDirectory) -> Result<Option<Best>, CheckpointError> {
    let path = directory.path().join(BEST);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.context("read", &path)?,
    };
    match serde_json::from_slice(&bytes) {
        Ok(best) => Ok(Some(best)),
        Err(error) => Err(CheckpointError::Damaged {
            path,
            reason: format!("expected {{\"step\": …}}: {error}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory_of(steps: &[u64]) -> (tempfile::TempDir, CheckpointDirectory) {
        let folder = tempfile::tempdir().unwrap();
        let directory = CheckpointDirectory::new(folder.path());
        for step in steps {
            fs::create_dir(directory.path_of(*step)).unwrap();
        }
        (folder, directory)
    }

    #[test]
    fn the_previous_best_counts_until_the_new_checkpoint_is_there() {
        let (_folder, directory) = directory_of(&[1]);
        write(&directory, 1).unwrap();
        write(&directory, 2).unwrap();
        assert_eq!(read(&directory).unwrap(), Some(1));
        fs::create_dir(directory.path_of(2)).unwrap();
        assert_eq!(read(&directory).unwrap(), Some(2));
    }

    #[test]
    fn a_best_that_was_never_finished_is_forgotten() {
        let (_folder, directory) = directory_of(&[1]);
        write(&directory, 1).unwrap();
        write(&directory, 2).unwrap();
        settle(&directory).unwrap();
        fs::create_dir(directory.path_of(2)).unwrap();
        assert_eq!(read(&directory).unwrap(), Some(1));

        let (_folder, directory) = directory_of(&[]);
        write(&directory, 2).unwrap();
        settle(&directory).unwrap();
        assert!(!directory.path().join(BEST).exists());
    }

    #[test]
    fn a_record_that_says_otherwise_is_set_right() {
        let (_folder, directory) = directory_of(&[1, 2]);
        for content in ["{", "{\"step\":2}", "{\"step\":9}"] {
            fs::write(directory.path().join(BEST), content).unwrap();
            set(&directory, Some(1)).unwrap();
            assert_eq!(read(&directory).unwrap(), Some(1));
            fs::write(directory.path().join(BEST), content).unwrap();
            set(&directory, None).unwrap();
            assert_eq!(read(&directory).unwrap(), None);
        }
    }

    #[test]
    fn a_damaged_record_is_an_error_that_a_new_best_mends() {
        let (_folder, directory) = directory_of(&[1]);
        fs::write(directory.path().join(BEST), "{").unwrap();
        assert!(matches!(
            read(&directory),
            Err(CheckpointError::Damaged { .. })
        ));
        write(&directory, 1).unwrap();
        assert_eq!(read(&directory).unwrap(), Some(1));
    }
}
