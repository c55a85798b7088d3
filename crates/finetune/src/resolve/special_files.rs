//! Rejects pipes, sockets and devices in place of files. Opening a pipe waits for a writer and a device
//! may have no end, so they are rejected before anything is opened.

use std::{fs, path::Path};

use finetune_train::layout;

use crate::error::Failure;

/// Depth of the directories below a run's: `checkpoints/step-N`.
const DEPTH: usize = 2;

/// Rejects a path that is neither a file nor a directory; `expected` describes what it should be. A
/// missing file is reported when it is opened.
///
/// # Errors
/// Fails if the path is a pipe, a socket or a device.
pub fn refuse_file(path: &Path, expected: &str) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() && !found.is_file() => Err(Failure::User(format!(
            "{} is a pipe, a socket or a device; expected {expected}",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Rejects the directory of a model, an adapter or a run that contains anything other than files and
/// directories.
///
/// # Errors
/// Fails if the directory contains a pipe, a socket or a device.
pub fn refuse_in(directory: &Path) -> Result<(), Failure> {
    let is_run = directory.join(layout::PLAN).symlink_metadata().is_ok();
    refuse_below(directory, if is_run { DEPTH } else { 0 })
}

fn refuse_below(directory: &Path, depth: usize) -> Result<(), Failure> {
    // A directory that is missing or cannot be listed is reported when it is used.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if depth > 0 => refuse_below(&path, depth - 1)?,
            true => {}
            false => refuse_file(&path, "a file; restore it, or remove it")?,
        }
    }
    Ok(())
}
