//! The errors of saving, finding and verifying checkpoints.

use std::io;
use std::path::{Path, PathBuf};

use finetune_files::{ErrorKind, FileError, LockError};
use thiserror::Error;

use crate::directory::step_name;
use crate::manifest::FORMAT;
use crate::space::human_bytes;

/// An error of saving or reading checkpoints.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file's name could lead out of the checkpoint or is reserved in it.
    #[error("\"{name}\" cannot be the name of a file in a checkpoint: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// Two files of one checkpoint have the same name.
    #[error("two files of the checkpoint are called \"{name}\"")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// The directory's lock cannot be acquired, for example because another process writes to it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The disk, or the user's quota, is full.
    #[error("{}", no_space(path, *needed, *free, whole))]
    NoSpace {
        /// The checkpoint that did not fit; nothing of it is left.
        path: PathBuf,
        /// Size of its files in bytes, if all of them know theirs.
        needed: Option<u64>,
        /// Free bytes after removing the incomplete checkpoint, if the system reports them.
        free: Option<u64>,
        /// Steps of the intact checkpoints.
        whole: Vec<u64>,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file or directory could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory has no manifest, so it is not a (complete) checkpoint.
    #[error("{} is not a checkpoint: it has no manifest.json", path.display())]
    NoManifest {
        /// The checkpoint.
        path: PathBuf,
    },
    /// The manifest or the record of the best step is damaged.
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
    /// A file that the manifest lists is missing.
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
        /// Number of bytes written.
        expected: u64,
        /// Number of bytes found.
        found: u64,
    },
    /// A file's content has changed.
    #[error("{} is damaged: expected SHA-256 {expected}, found {found}", path.display())]
    WrongChecksum {
        /// The file.
        path: PathBuf,
        /// The checksum when it was written.
        expected: String,
        /// The checksum found.
        found: String,
    },
    /// There are checkpoints, but none of them is valid.
    #[error(
        "none of the checkpoints in {} can be used:{}",
        directory.display(),
        damaged.iter().map(|(_, error)| format!("\n  {error}")).collect::<String>()
    )]
    AllDamaged {
        /// The directory of checkpoints.
        directory: PathBuf,
        /// The checkpoints, newest first, each with what is wrong with it.
        damaged: Vec<(PathBuf, CheckpointError)>,
    },
    /// The checkpoint does not have the requested file.
    #[error("{} has no file \"{name}\"; it has {}", path.display(), present.join(", "))]
    NoSuchFile {
        /// The checkpoint.
        path: PathBuf,
        /// The requested name.
        name: String,
        /// The names of its files.
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
    /// The background thread has ended prematurely.
    #[error("the thread that writes checkpoints has ended, so no more can be saved")]
    WriterEnded,
}

impl CheckpointError {
    /// Returns the kind of error. A damaged checkpoint is an error of the input: another checkpoint, or
    /// another run, works.
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
            // The program chooses the names of files.
            Self::BadName { .. }
            | Self::DuplicateName { .. }
            | Self::Panicked { .. }
            | Self::WriterEnded => ErrorKind::Bug,
        }
    }

    /// Returns whether files are damaged, as opposed to errors of the system, which may be temporary.
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

/// Adds the file and the action to an [`io::Error`].
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
