//! The files that hold a model's weights: a single file, or an index and its shards.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::cache::is_file_name;
use crate::error::{HubError, IoContext};

/// File names of the weights, in the order in which transformers looks for them.
const FORMS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// Returns the file name that takes precedence, where `has` tells which files exist.
pub(crate) fn form(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    FORMS.into_iter().find(|file| has(file))
}

/// Returns the files of the weights in a folder, the index of shards first; empty if there are
/// none.
pub(crate) fn files(dir: &Path) -> Result<Vec<String>, HubError> {
    let Some(form) = form(|file| dir.join(file).is_file()) else {
        return Ok(Vec::new());
    };
    let mut files = vec![form.to_string()];
    if is_index(form) {
        files.extend(shards(&dir.join(form))?);
    }
    Ok(files)
}

/// Returns whether a file name is that of an index of shards.
pub(crate) fn is_index(form: &str) -> bool {
    form.ends_with(".index.json")
}

/// Returns the shards listed in an index, sorted.
pub(crate) fn shards(index: &Path) -> Result<Vec<String>, HubError> {
    let text = fs::read(index).context("read", index)?;
    let invalid = || HubError::BadIndex {
        path: index.to_path_buf(),
    };
    let value: Value = serde_json::from_slice(&text).map_err(|_| invalid())?;
    let map = value.get("weight_map").and_then(Value::as_object);
    // The names become those of files beside the index.
    let names = map.ok_or_else(invalid)?.values().map(|name| {
        let name = name.as_str().filter(|name| is_file_name(name));
        name.map(str::to_string).ok_or_else(invalid)
    });
    let names: BTreeSet<String> = names.collect::<Result<_, _>>()?;
    Ok(names.into_iter().collect())
}

/// Returns the checksum of weights with these files: that of a single file, or else that of the
/// list of all checksums as `sha256sum` writes it.
pub(crate) fn sum(files: &[String], sums: &[String]) -> String {
    if let [sum] = sums {
        return sum.clone();
    }
    let lines: String = files
        .iter()
        .zip(sums)
        .map(|(file, sum)| format!("{sum}  {file}\n"))
        .collect();
    let digest = Sha256::digest(lines);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
