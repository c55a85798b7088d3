//! Pipes, sockets and devices that have the name of a file. Opening a pipe waits for somebody to write
//! into it and a device may have no end, so they are refused before anything is opened.

use std::{fs, path::Path};

use finetune_train::layout;

use crate::error::Failure;

/// Folders of a run below its own: `checkpoints/step-N`.
const DEPTH: usize = 2;

/// Refuses a path that is neither a file nor a directory, where `expected` should be; what is not there
/// is left to who opens it.
pub fn refuse_file(path: &Path, expected: &str) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() && !found.is_file() => Err(Failure::User(format!(
            "{} is a pipe, a socket or a device; expected {expected}",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses the directory of a model, an adapter or a run in which something is neither a file nor a
/// directory.
pub fn refuse_in(directory: &Path) -> Result<(), Failure> {
    let is_run = directory.join(layout::PLAN).symlink_metadata().is_ok();
    refuse_below(directory, if is_run { DEPTH } else { 0 })
}

fn refuse_below(directory: &Path, depth: usize) -> Result<(), Failure> {
    // What cannot be listed, or is not there, is refused by who needs it.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if depth > 0 => refuse_below(&path, depth - 1)?,
            true => {}
            false => refuse_file(&path, "a file: bring it back, or remove it")?,
        }
    }
    Ok(())
}
