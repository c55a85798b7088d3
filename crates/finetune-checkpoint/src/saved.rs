//! The result of a save.

use std::fmt;
use std::path::PathBuf;

use crate::space::human_bytes;

/// A checkpoint that is safely on disk.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Saved {
    /// The checkpoint's step.
    pub step: u64,
    /// The checkpoint's directory.
    pub path: PathBuf,
    /// Size in bytes of all its files and its manifest.
    pub bytes: u64,
    /// Time for writing, syncing and removing other checkpoints.
    pub seconds: f64,
    /// Whether a valid checkpoint of this step already existed and was left unchanged.
    pub already_there: bool,
    /// Steps whose checkpoints were removed, in ascending order.
    pub removed: Vec<u64>,
    /// Problems to report to the user although the checkpoint was saved.
    pub notes: Vec<Note>,
}

/// A problem with a saved checkpoint that is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The new checkpoint alone exceeds the byte budget, and is kept.
    LargerThanBudget {
        /// Size of the checkpoint in bytes.
        bytes: u64,
        /// The byte budget.
        budget: u64,
    },
    /// The checkpoints that must be kept exceed the byte budget together.
    OverBudget {
        /// Size of all kept checkpoints in bytes.
        bytes: u64,
        /// The byte budget.
        budget: u64,
    },
    /// Checkpoints that are no longer needed could not be removed.
    NotRemoved {
        /// The checkpoint, or the directory of all checkpoints.
        path: PathBuf,
        /// Why it could not be removed.
        reason: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LargerThanBudget { bytes, budget } => write!(
                f,
                "one checkpoint takes {}, more than the budget of {} for all; the newest is kept anyway",
                human_bytes(*bytes),
                human_bytes(*budget)
            ),
            Self::OverBudget { bytes, budget } => write!(
                f,
                "the checkpoints that must be kept take {}, more than the budget of {}",
                human_bytes(*bytes),
                human_bytes(*budget)
            ),
            Self::NotRemoved { path, reason } => {
                write!(f, "nothing was removed from {}: {reason}", path.display())
            }
        }
    }
}
