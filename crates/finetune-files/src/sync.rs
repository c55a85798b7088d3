//! Syncs directories, without which a rename may not survive a power cut.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::error::{FileError, IoContext};
use crate::steps;

/// Makes the entries of a directory (new, renamed, removed) durable. If the system does not support
/// that (for the file system, or for a directory that may be written but not read), it does
/// nothing.
///
/// # Errors
/// Fails if the disk fails.
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

/// On other systems, directories cannot be opened, and the system orders their entries itself.
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

/// Makes a directory and all files and directories in it durable. Links are not followed.
///
/// # Errors
/// Fails if something in the directory cannot be read, or if the disk fails.
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
