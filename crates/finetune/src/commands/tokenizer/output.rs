//! The directory that a command writes.

use std::path::Path;

use finetune_files::{IoContext, publish_directory};

use crate::{cli::interrupt, error::Failure};

/// Fails if something exists at the place of the output.
///
/// # Errors
/// Fails if it does.
pub fn check_free(output: &Path) -> Result<(), Failure> {
    match output.symlink_metadata() {
        // A broken link exists too.
        Ok(_) => Err(Failure::User(format!(
            "{} already exists and is not overwritten; choose another --output",
            output.display()
        ))),
        Err(_) => Ok(()),
    }
}

/// Creates the output, whole or not at all. From here on, a signal has to wait until it is there, or gone.
///
/// # Errors
/// Fails if it exists or cannot be written.
pub fn publish(
    output: &Path,
    fill: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let Some(parent) = output.parent() {
        std::fs::create_dir_all(parent).context("make", parent)?;
    }
    interrupt::listen()?;
    let written = publish_directory(output, |partial| {
        fill(partial)?;
        match interrupt::requested() {
            true => Err(Failure::Interrupted("interrupted; nothing was kept".into())),
            false => Ok(()),
        }
    });
    // Another process may have created the output first.
    written.map_err(|error| check_free(output).err().unwrap_or(error))
}
