//! What a run leaves, where and when.

use std::num::NonZeroU64;

use crate::{Interval, ReportTo};

/// Checkpoints, logs and the run directory.
#[derive(Clone, Debug, PartialEq)]
pub struct SavingPlan {
    /// When checkpoints are saved.
    pub save: Interval,
    /// Number of the newest checkpoints that are kept, beside the best.
    pub save_total_limit: usize,
    /// Bytes that checkpoints may take together, if there is a limit.
    pub save_bytes_limit: Option<NonZeroU64>,
    /// When losses are logged.
    pub logging: Interval,
    /// Where the run is reported to.
    pub report_to: ReportTo,
    /// The run directory. Where it is relative, it stands against the same folder as the other relative
    /// paths.
    pub output: String,
}

impl Default for SavingPlan {
    fn default() -> Self {
        Self {
            save: Interval::Epoch,
            save_total_limit: 2,
            save_bytes_limit: None,
            logging: Interval::Steps(NonZeroU64::MIN),
            report_to: ReportTo::default(),
            output: String::new(),
        }
    }
}
