//! Where a run is shown while it goes.

use serde::{Deserialize, Serialize};

/// Where a run is reported to, besides its own event log: transformers' `report_to`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportTo {
    /// Event files in `RUN/tensorboard`.
    #[default]
    Tensorboard,
    /// Nowhere.
    None,
}
