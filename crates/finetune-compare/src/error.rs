//! The error type of this crate.

use std::{io, path::PathBuf};

use finetune_files::{ErrorKind, FileError, LockError};
use thiserror::Error;

/// Why runs cannot be described, made or compared.
#[derive(Debug, Error)]
pub enum CompareError {
    /// The description is wrong.
    #[error("{problem}")]
    Description {
        /// What is wrong, where, and what was expected.
        problem: String,
    },
    /// The directory has something in it that does not fit.
    #[error("{}: {problem}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What does not fit, and what to do.
        problem: String,
    },
    /// Runs that do not have the same task and metrics, so that no table can hold them.
    #[error("{problem}")]
    Incomparable {
        /// Which runs, and how they differ.
        problem: String,
    },
    /// The program that trains cannot be started or waited for.
    #[error("cannot run {}: {source}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A table cannot be written in some format, which is a bug.
    #[error("internal error: cannot write the table: {0}")]
    Format(String),
}

impl CompareError {
    /// Classifies the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Description { .. } | Self::Directory { .. } | Self::Incomparable { .. } => {
                ErrorKind::Input
            }
            Self::Program { source, .. } => ErrorKind::of(source),
            Self::File(error) => error.kind(),
            Self::Lock(error) => error.kind(),
            Self::Format(_) => ErrorKind::Bug,
        }
    }
}
