//! Everything that can keep a checkpoint from being written, found or trusted.

use std::io;
use std::path::{Path, PathBuf};

use finetune_files::{ErrorKind, FileError, LockError};
use thiserror::Error;

use crate::directory::step_name;
use crate::manifest::FORMAT;
use crate::space::human_bytes;

/// Why a checkpoint could not be saved or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file's name could lead out of the checkpoint or means something else in it.
    #[error("\"{name}\" cannot be the name of a file in a checkpoint: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// Two files of one checkpoint have the same name.
    #[error("two files of the checkpoint are called \"{name}\"")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// The directory's lock cannot be had, as when somebody else writes to it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The disk, or the user's share of it, is full.
    #[error("{}", no_space(path, *needed, *free, whole))]
    NoSpace {
        /// The checkpoint that did not fit; nothing of it is left.
        path: PathBuf,
        /// Bytes of its files, if all of them told their size.
        needed: Option<u64>,
        /// Free bytes after what had been written was removed, if the system tells.
        free: Option<u64>,
        /// Steps of the checkpoints that are there and verify.
        whole: Vec<u64>,
        /// The system's error.
        source: io::Error,
    },
    /// A file or directory could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory has no manifest, so it is no (whole) checkpoint.
    #[error("{} is not a checkpoint: it has no manifest.json", path.display())]
    NoManifest {
        /// The checkpoint.
        path: PathBuf,
    },
    /// The manifest or the record of the best step is not what this program writes.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The checkpoint's format is newer than this program.
    #[error(
        "{} was written by a newer version{} (format {format}, this program reads up to {FORMAT}); update finetune",
        path.display(),
        written_by.as_ref().map(|name| format!(", {name}")).unwrap_or_default()
    )]
    NewerFormat {
        /// The checkpoint.
        path: PathBuf,
        /// Its format.
        format: u64,
        /// The program that wrote it, if the manifest says so.
        written_by: Option<String>,
    },
    /// A file of the manifest is not there.
    #[error("{} is missing, but the checkpoint's manifest lists it", path.display())]
    MissingFile {
        /// The file.
        path: PathBuf,
    },
    /// A file is longer or shorter than it was.
    #[error("{} is damaged: expected {expected} bytes, found {found}", path.display())]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// Bytes it was written with.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
    /// A file's content is not what it was.
    #[error("{} is damaged: expected SHA-256 {expected}, found {found}", path.display())]
    WrongChecksum {
        /// The file.
        path: PathBuf,
        /// The checksum it was written with.
        expected: String,
        /// The checksum it has.
        found: String,
    },
    /// There are checkpoints, and not one verifies.
    #[error(
        "none of the checkpoints in {} can be used:{}",
        directory.display(),
        damaged.iter().map(|(_, error)| format!("\n  {error}")).collect::<String>()
    )]
    AllDamaged {
        /// The directory of checkpoints.
        directory: PathBuf,
        /// Each checkpoint and what is wrong with it, the newest first.
        damaged: Vec<(PathBuf, CheckpointError)>,
    },
    /// A file was asked for that the checkpoint does not have.
    #[error("{} has no file \"{name}\"; it has {}", path.display(), present.join(", "))]
    NoSuchFile {
        /// The checkpoint.
        path: PathBuf,
        /// The name asked for.
        name: String,
        /// The names it has.
        present: Vec<String>,
    },
    /// The code that produces a checkpoint's content panicked.
    #[error("writing the checkpoint of step {step} panicked: {message}")]
    Panicked {
        /// The step.
        step: u64,
        /// The panic's message.
        message: String,
    },
    /// The background thread has ended before its time.
    #[error("the thread that writes checkpoints has ended, so no more can be saved")]
    WriterEnded,
}

impl CheckpointError {
    /// On whose side the error lies. A damaged checkpoint is the input's: another one, or another run, works.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Lock(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::NoSpace { .. } => ErrorKind::Environment,
            Self::NoManifest { .. }
            | Self::Damaged { .. }
            | Self::NewerFormat { .. }
            | Self::MissingFile { .. }
            | Self::WrongLength { .. }
            | Self::WrongChecksum { .. }
            | Self::AllDamaged { .. }
            | Self::NoSuchFile { .. } => ErrorKind::Input,
            // Names of files are the program's own.
            Self::BadName { .. }
            | Self::DuplicateName { .. }
            | Self::Panicked { .. }
            | Self::WriterEnded => ErrorKind::Bug,
        }
    }

    /// Whether the files are not what they were, as against an error of the system, which may pass.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::NoManifest { .. }
                | Self::Damaged { .. }
                | Self::MissingFile { .. }
                | Self::WrongLength { .. }
                | Self::WrongChecksum { .. }
                | Self::AllDamaged { .. }
        )
    }
}

fn no_space(path: &Path, needed: Option<u64>, free: Option<u64>, whole: &[u64]) -> String {
    let mut text = format!("cannot save {}: the disk is full", path.display());
    match (needed.map(human_bytes), free.map(human_bytes)) {
        (Some(needed), Some(free)) => text += &format!(" (needed {needed}, free {free})"),
        (Some(needed), None) => text += &format!(" (needed {needed})"),
        (None, Some(free)) => text += &format!(" (free {free})"),
        (None, None) => {}
    }
    text += ". Free some space and resume; ";
    match whole {
        [] => text += "there is no earlier checkpoint",
        [step] => text += &format!("the earlier checkpoint {} is whole", step_name(*step)),
        steps => {
            let names: Vec<String> = steps.iter().map(|step| step_name(*step)).collect();
            text += &format!("the earlier checkpoints {} are whole", names.join(", "));
        }
    }
    text
}

/// Names the file and the action of an [`io::Error`].
pub(crate) trait IoContext<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, CheckpointError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, CheckpointError> {
        self.map_err(|source| FileError::new(action, path, source).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_input_and_a_full_disk_is_not() {
        let damaged = CheckpointError::NoManifest { path: "a".into() };
        assert_eq!(damaged.kind(), ErrorKind::Input);
        let file = |kind: io::ErrorKind| {
            CheckpointError::from(FileError::new("write", Path::new("a"), kind.into())).kind()
        };
        assert_eq!(file(io::ErrorKind::StorageFull), ErrorKind::Environment);
        assert_eq!(CheckpointError::WriterEnded.kind(), ErrorKind::Bug);
    }
}
