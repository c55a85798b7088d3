//! What it takes for a change of files to survive a power cut.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::directory::PARTIAL;
use crate::error::{CheckpointError, IoContext};

/// Makes the entries of a directory (new, renamed, removed) last.
#[cfg(unix)]
pub(crate) fn sync_directory(path: &Path) -> Result<(), CheckpointError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .context("sync", path)
}

/// Elsewhere a directory cannot be opened, and the system orders its entries itself.
#[cfg(not(unix))]
pub(crate) fn sync_directory(_path: &Path) -> Result<(), CheckpointError> {
    Ok(())
}

/// Puts a small file in place of another: beside it, synced, renamed.
pub(crate) fn replace_file(
    directory: &Path,
    name: &str,
    content: &[u8],
) -> Result<(), CheckpointError> {
    let partial = directory.join(format!("{PARTIAL}{name}"));
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.context("write", &partial).inspect_err(|_| {
        let _ = fs::remove_file(&partial);
    })?;
    let path = directory.join(name);
    fs::rename(&partial, &path).context("write", &path)?;
    sync_directory(directory)
}
