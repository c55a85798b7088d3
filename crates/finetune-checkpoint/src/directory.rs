//! A directory of checkpoints for reading, without a lock.
//!
//! ```text
//! step-000100/  step-000126/  best.json  .lock  .partial-…  .removed-…
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::best;
use crate::checkpoint::Checkpoint;
use crate::error::{CheckpointError, IoContext};

/// Prefix of the names of checkpoints that are being deleted.
pub(crate) const REMOVED: &str = ".removed-";

/// A directory of checkpoints for reading, possibly while another process writes to it.
#[derive(Clone, Debug)]
pub struct CheckpointDirectory {
    path: PathBuf,
}

/// The result of [`CheckpointDirectory::newest_valid`].
#[derive(Debug)]
pub struct Found {
    /// The newest checkpoint that verifies.
    pub checkpoint: Checkpoint,
    /// The newer checkpoints, newest first, each with what is wrong with it.
    pub damaged: Vec<(PathBuf, CheckpointError)>,
}

impl CheckpointDirectory {
    /// Creates a view of the directory, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns the directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path that the checkpoint of a step has or would have.
    pub fn path_of(&self, step: u64) -> PathBuf {
        self.path.join(step_name(step))
    }

    /// Lists the steps that have a checkpoint, including damaged ones, in ascending order. The list is
    /// empty if the directory does not exist.
    ///
    /// # Errors
    /// Fails if the directory cannot be read.
    pub fn steps(&self) -> Result<Vec<u64>, CheckpointError> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.context("read", &self.path)?,
        };
        let mut steps = Vec::new();
        for entry in entries {
            let path = entry.context("read", &self.path)?.path();
            if let Some(step) = step_of(&path).filter(|_| path.is_dir()) {
                steps.push(step);
            }
        }
        steps.sort_unstable();
        Ok(steps)
    }

    /// Returns the step of the best checkpoint, if one was ever saved as the best.
    ///
    /// # Errors
    /// Fails if `best.json` cannot be read or is damaged.
    pub fn best(&self) -> Result<Option<u64>, CheckpointError> {
        best::read(self)
    }

    /// Finds the newest valid checkpoint and the damaged ones that are newer; `None` if there are no
    /// checkpoints at all.
    ///
    /// # Errors
    /// Fails if all checkpoints are damaged, or if one that is newer than the valid ones was written by
    /// a newer version: that is not damage, and resuming from an older one would lose its work.
    pub fn newest_valid(&self) -> Result<Option<Found>, CheckpointError> {
        let mut damaged = Vec::new();
        for step in self.steps()?.into_iter().rev() {
            let path = self.path_of(step);
            match Checkpoint::open(&path) {
                Ok(checkpoint) => {
                    return Ok(Some(Found {
                        checkpoint,
                        damaged,
                    }));
                }
                Err(error @ CheckpointError::NewerFormat { .. }) => return Err(error),
                Err(error) => damaged.push((path, error)),
            }
        }
        if damaged.is_empty() {
            return Ok(None);
        }
        Err(CheckpointError::AllDamaged {
            directory: self.path.clone(),
            damaged,
        })
    }
}

/// Returns a name such as `step-000126`, with six digits or more.
pub(crate) fn step_name(step: u64) -> String {
    format!("step-{step:06}")
}

/// Parses the step in a checkpoint's path; `None` for a path of any other form.
pub(crate) fn step_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let step = name.strip_prefix("step-")?.parse().ok()?;
    (step_name(step) == name).then_some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_steps_are_read_back_and_no_others() {
        for step in [0, 126, 999_999, 1_000_000, u64::MAX] {
            assert_eq!(step_of(Path::new(&step_name(step))), Some(step));
        }
        for name in [
            "step-126",
            "step-0000126",
            "step-+00126",
            "step-",
            "step-000126.bak",
            "x",
        ] {
            assert_eq!(step_of(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn an_absent_directory_has_no_checkpoints() {
        let folder = tempfile::tempdir().unwrap();
        let directory = CheckpointDirectory::new(folder.path().join("absent"));
        assert!(directory.steps().unwrap().is_empty());
        assert!(directory.best().unwrap().is_none());
        assert!(directory.newest_valid().unwrap().is_none());
    }
}
