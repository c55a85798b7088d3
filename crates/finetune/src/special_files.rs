//! Pipes and devices where a model or a run has its files: opening a pipe waits for somebody to write
//! into it, and a device has no end.

use std::{fs, path::Path};

use crate::error::Failure;

/// Folders of a run below its own: `checkpoints/step-N`.
const DEPTH: usize = 2;

/// Refuses the directory of a model or a run in which something is neither file nor directory, before
/// anything in it is opened.
pub fn refuse(directory: &Path) -> Result<(), Failure> {
    let is_run = directory.join("plan.toml").symlink_metadata().is_ok();
    refuse_below(directory, if is_run { DEPTH } else { 0 })
}

fn refuse_below(directory: &Path, depth: usize) -> Result<(), Failure> {
    // What cannot be listed, or is not there, is refused by who needs it.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() && depth > 0 => refuse_below(&path, depth - 1)?,
            Ok(found) if !found.is_dir() && !found.is_file() => {
                return Err(Failure::User(format!(
                    "{} is a pipe, a socket or a device; expected a file: bring it back, or remove it",
                    path.display()
                )));
            }
            _ => {}
        }
    }
    Ok(())
}
