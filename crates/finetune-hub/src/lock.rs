//! A file that one process at a time may hold.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::error::{HubError, IoContext};
use crate::progress::{Progress, Report};

/// Opens `path` for appending, creating it and its folder, and waits until no other process holds
/// it. The lock ends when the file is closed, also by a crash.
pub(crate) fn open_locked(path: &Path, report: Report<'_>) -> Result<File, HubError> {
    loop {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).context("create", folder)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(path)
            .context("create", path)?;
        wait(&file, path, report)?;
        // Whoever held the lock may have renamed or removed the file that is locked now.
        if is_at(&file, path) {
            return Ok(file);
        }
    }
}

fn wait(file: &File, path: &Path, report: Report<'_>) -> Result<(), HubError> {
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {
                if !told {
                    report(Progress::Note(format!(
                        "waiting for another process that downloads the same ({})",
                        path.display()
                    )));
                    told = true;
                }
                thread::sleep(Duration::from_millis(100));
            }
            // Some network file systems have no locks; then two processes may both download.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(());
            }
            Err(TryLockError::Error(source)) => {
                return Err(HubError::Io {
                    action: "lock",
                    path: path.to_path_buf(),
                    source,
                });
            }
        }
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Elsewhere an open file can be neither renamed nor removed.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.is_file()
}
