//! The names in a run directory.

use std::path::Path;

/// The plan. A directory that has one is a run's.
pub const PLAN: &str = "plan.toml";
/// The event log, and its copy in a checkpoint.
pub const EVENTS: &str = "events.jsonl";
/// The results. A run that has them is complete.
pub const RESULTS: &str = "results.json";
/// The directory of the model that is kept.
pub const MODEL: &str = "model";
/// The directory of the checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";

/// Whether a run began in this directory, and had a plan.
pub fn has_begun(run: &Path) -> bool {
    run.join(PLAN).exists()
}

/// Whether the run in this directory is complete: there is nothing to resume.
pub fn is_complete(run: &Path) -> bool {
    run.join(RESULTS).exists()
}
