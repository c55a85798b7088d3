//! Writing of small files in a run directory.

use std::{io::Write, path::Path};

use finetune_files::replace_file;
use serde_json::Value;

use crate::TrainError;

/// Writes a JSON file under a temporary name and renames it.
pub(crate) fn write_json(path: &Path, value: &Value) -> Result<(), TrainError> {
    write_text(path, &format!("{value:#}\n"))
}

pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), TrainError> {
    Ok(replace_file(path, |file| file.write_all(text.as_bytes()))?)
}
