//! The size of a saved model.

use std::{fs, path::Path};

use finetune_files::IoContext;

use crate::error::Failure;

/// The model card, which is made last and is not part of the model.
const CARD: &str = "README.md";

/// Returns the size in bytes of all files in the directory of a model, but for its card.
///
/// # Errors
/// Fails if the directory cannot be read.
pub fn directory_size(directory: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory).context("read", directory)? {
        let entry = entry.context("read", directory)?;
        if entry.file_name() == CARD {
            continue;
        }
        let facts = entry.metadata().context("read", &entry.path())?;
        bytes += match facts.is_dir() {
            true => directory_size(&entry.path())?,
            false => facts.len(),
        };
    }
    Ok(bytes)
}
