//! One writer per directory: a locked file, which the system unlocks whenever its process ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use crate::error::{CheckpointError, IoContext};

const LOCK: &str = ".lock";

/// A directory's lock.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    /// Closing the file would not do: a process that is just being started has it open as well, until
    /// it runs its own program.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes the directory's lock.
pub(crate) fn lock(directory: &Path) -> Result<Lock, CheckpointError> {
    let path = directory.join(LOCK);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .context("open", &path)?;
    match file.try_lock() {
        Ok(()) => {}
        // Some network file systems have no locks; then it is up to the user, as without this crate.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(error).context("lock", &path),
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path)
                .ok()
                .and_then(|text| text.trim().parse().ok());
            return Err(CheckpointError::Locked {
                directory: directory.to_path_buf(),
                holder,
            });
        }
    }
    // For the message above only. A full disk must not keep anyone from opening the store.
    let _ = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(Lock(file))
}
