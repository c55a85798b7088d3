//! What it takes for a change of names to survive a power cut.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::error::{FileError, IoContext};
use crate::steps;

/// Makes the entries of a directory (new, renamed, removed) last. Where the system cannot do that (a file
/// system without it, a directory that may be written but not read), it orders them as it sees fit.
///
/// # Errors
///
/// The disk fails.
pub fn sync_directory(path: &Path) -> Result<(), FileError> {
    let synced = match sync(path) {
        Err(error) if is_not_offered(&error) => Ok(()),
        other => other,
    };
    synced.context("sync", path)?;
    steps::done("directory synced", path);
    Ok(())
}

#[cfg(unix)]
fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere a directory cannot be opened, and the system orders its entries itself.
#[cfg(not(unix))]
fn sync(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn is_not_offered(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Makes all files and directories in a directory, and itself, last. Links are not followed.
///
/// # Errors
///
/// Something in it cannot be read, or the disk fails.
pub fn sync_tree(directory: &Path) -> Result<(), FileError> {
    for entry in fs::read_dir(directory).context("read", directory)? {
        let entry = entry.context("read", directory)?;
        let path = entry.path();
        let kind = entry.file_type().context("read", &path)?;
        if kind.is_dir() {
            sync_tree(&path)?;
        } else if kind.is_file() {
            File::open(&path)
                .and_then(|file| file.sync_all())
                .context("sync", &path)?;
            steps::done("file synced", &path);
        }
    }
    sync_directory(directory)
}
