//! The error type of this crate.

use std::path::PathBuf;

use finetune_files::{ErrorKind, FileError};
use thiserror::Error;

/// Why data could not be checked, or what was found could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The rows could not be read.
    #[error(transparent)]
    Data(#[from] finetune_data::Error),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The rows have more numbers than a check keeps.
    #[error("{rows} rows are too many to compare with each other; check at most {most} at a time", most = u32::MAX)]
    TooManyRows {
        /// Number of rows.
        rows: u64,
    },
    /// A similarity at which nothing, or everything, would be a near duplicate.
    #[error("the similarity of near duplicates is {value}; expected a number from 0.5 to 1")]
    Similarity {
        /// The number that was given.
        value: f64,
    },
    /// A split has no rows.
    #[error("{split}: there is no row with a text to check")]
    NoRows {
        /// The split.
        split: String,
    },
    /// Given probabilities do not fit the rows.
    #[error("{}: {message}", path.display())]
    Probabilities {
        /// The file of probabilities.
        path: PathBuf,
        /// What was expected and what was found.
        message: String,
    },
    /// The caller asked to stop.
    #[error("the check was stopped")]
    Stopped,
}

/// The result of every fallible function of this crate.
pub type Result<T, E = CheckError> = std::result::Result<T, E>;

impl CheckError {
    /// Classifies the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Data(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::TooManyRows { .. }
            | Self::Similarity { .. }
            | Self::NoRows { .. }
            | Self::Probabilities { .. } => ErrorKind::Input,
            Self::Stopped => ErrorKind::Interrupted,
        }
    }
}
