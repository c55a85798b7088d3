//! What a save did.

use std::fmt;
use std::path::PathBuf;

use crate::space::human_bytes;

/// A checkpoint that is on disk for good.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Saved {
    /// Its step.
    pub step: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of all its files and its manifest.
    pub bytes: u64,
    /// Time that writing, syncing and the removal of others took.
    pub seconds: f64,
    /// Whether a valid checkpoint of this step was there already and was left as it was.
    pub already_there: bool,
    /// Steps whose checkpoints were removed, ascending.
    pub removed: Vec<u64>,
    /// What the user should hear about, although the checkpoint is saved.
    pub notes: Vec<Note>,
}

/// Something short of an error about a checkpoint that was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The new checkpoint by itself is above the byte budget, and kept.
    LargerThanBudget {
        /// Its bytes.
        bytes: u64,
        /// The byte budget.
        budget: u64,
    },
    /// What must be kept is above the byte budget together.
    OverBudget {
        /// Bytes of all checkpoints that are kept.
        bytes: u64,
        /// The byte budget.
        budget: u64,
    },
    /// Checkpoints that are no longer needed are still there.
    NotRemoved {
        /// The checkpoint, or the directory of all.
        path: PathBuf,
        /// What kept it from being removed.
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
