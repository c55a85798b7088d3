//! Names of the files in a run directory.

use std::path::{Path, PathBuf};

/// The plan. A directory that contains one belongs to a run.
pub const PLAN: &str = "plan.toml";
/// The event log, in the run directory and in checkpoints.
pub const EVENTS: &str = "events.jsonl";
/// The results. A run that has them is complete.
pub const RESULTS: &str = "results.json";
/// The predictions for the held-out rows.
pub const PREDICTIONS: &str = "predictions.safetensors";
/// The page about the run.
pub const REPORT: &str = "report.html";
/// The directory of the kept model.
pub const MODEL: &str = "model";
/// The directory of the initial model, in runs that train an encoder from nothing or some layers of a
/// teacher.
pub const INITIAL: &str = "initial";
/// The directory of the run that adapts the base model, if a run begins with that.
pub const ADAPTATION: &str = "adaptation";
/// The directory of a teacher's logits, in runs that learn from one.
pub const TEACHER: &str = "teacher";
/// The directory of the checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";

/// Returns whether a run has begun in this directory and still has its plan.
pub fn has_begun(run: &Path) -> bool {
    run.join(PLAN).exists()
}

/// Returns the run whose base model is adapted in this directory, if it is one of an adaptation.
pub fn adapted_run(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let whole = path.parent()?;
    let is_adaptation = path.file_name()? == ADAPTATION && has_begun(whole);
    is_adaptation.then(|| whole.to_path_buf())
}

/// Returns whether the run in this directory is complete, so that there is nothing to resume.
pub fn is_complete(run: &Path) -> bool {
    run.join(RESULTS).exists()
}
