//! Resolves the name of a run directory to that of its model.

use std::path::{Path, PathBuf};

use finetune_models::CONFIG;
use finetune_peft::ADAPTER_CONFIG;
use finetune_train::{RunDirectory, layout};

use crate::{
    error::Failure,
    resolve::special_files,
    view::shell::{program, quote, quote_path},
};

/// Returns the model that `name` means: the result if it is a run directory, otherwise `name` itself.
///
/// # Errors
/// Fails if a run has no result yet; the message says how to finish it, and which checkpoints can be
/// used as models.
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
    let program = program();
    let mut message = format!(
        "{name} is an unfinished run without a result; finish it with\n  {program} resume {}",
        quote(name)
    );
    let checkpoints = checkpoints(path);
    if let Some((newest, others)) = checkpoints.split_last() {
        let newest = quote_path(newest);
        message += &format!("\nor use one of its checkpoints, which are models too: {newest}");
        for other in others.iter().rev() {
            message += &format!(", {}", quote_path(other));
        }
    }
    Err(Failure::User(message))
}

/// Returns the checkpoints of a run, newest last.
fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let paths = RunDirectory::read(run).and_then(|(run, _)| run.checkpoint_paths());
    paths.unwrap_or_default()
}
