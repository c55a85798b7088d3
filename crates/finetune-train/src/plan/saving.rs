//! What a run saves, where and when.

use std::num::NonZeroU64;

use crate::{Interval, ReportTo};

/// Checkpoints, logs and the run directory.
#[derive(Clone, Debug, PartialEq)]
pub struct SavingPlan {
    /// When checkpoints are saved.
    pub save: Interval,
    /// Number of newest checkpoints kept, besides the best one.
    pub save_total_limit: usize,
    /// Largest total size of the checkpoints in bytes; `None` is unlimited.
    pub save_bytes_limit: Option<NonZeroU64>,
    /// When losses are logged.
    pub logging: Interval,
    /// Where the run is reported to.
    pub report_to: ReportTo,
    /// The run directory. A relative path refers to the same folder as the plan's other relative paths.
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
