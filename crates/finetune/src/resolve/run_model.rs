//! From the name of a run's directory to its model's.

use std::path::{Path, PathBuf};

use finetune_models::CONFIG;
use finetune_peft::ADAPTER_CONFIG;
use finetune_train::{RunDirectory, layout};

use crate::{
    error::Failure,
    resolve::{paths, special_files},
    view::shell::{quote, quote_path},
};

/// The model that `name` means: of a run's directory its result, otherwise `name` itself.
///
/// # Errors
/// A run without a result yet; the message says how to finish it, and which checkpoints open as
/// models.
pub fn resolve(name: &str) -> Result<String, Failure> {
    let path = Path::new(name);
    special_files::refuse_in(path)?;
    let is_model = |path: &Path| {
        let files = [CONFIG, ADAPTER_CONFIG];
        files.iter().any(|file| path.join(file).exists())
    };
    if is_model(path) || !layout::has_begun(path) {
        return Ok(name.into());
    }
    let model = path.join(layout::MODEL);
    if is_model(&model) {
        special_files::refuse_in(&model)?;
        return Ok(model.display().to_string());
    }
    let program = paths::program();
    let mut message = format!(
        "{name} is a run without a result yet; finish it with\n  {program} resume {}",
        quote(name)
    );
    let checkpoints = checkpoints(path);
    if let Some((newest, others)) = checkpoints.split_last() {
        let newest = quote_path(newest);
        message += &format!("\nor name one of its checkpoints, which are models too: {newest}");
        for other in others.iter().rev() {
            message += &format!(", {}", quote_path(other));
        }
    }
    Err(Failure::User(message))
}

/// The checkpoints of a run, the newest last.
fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let paths = RunDirectory::read(run).and_then(|(run, _)| run.checkpoint_paths());
    paths.unwrap_or_default()
}
