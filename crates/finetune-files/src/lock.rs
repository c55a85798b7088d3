//! Locks that admit one writer per directory, based on a locked file that the system unlocks when
//! its process ends.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::ErrorKind;
use crate::error::FileError;
use crate::locked_file::{is_at, open_locked};

const LOCK: &str = ".lock";

/// Number of attempts to take a lock, and the pause between them. Meanwhile a holder that is ending
/// releases it, and one that has just started writes its name.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// The lock of a directory, which one owner at a time can hold across all processes. It is released
/// when this is dropped and when the process ends in any way: a killed process leaves no lock.
#[derive(Debug)]
pub struct DirectoryLock {
    file: File,
    path: PathBuf,
}

/// The holder of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// The process id.
    pub pid: u32,
    /// The name of the machine that it runs on.
    pub host: String,
    /// When it took the lock (RFC 3339, UTC).
    pub since: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, host, since } = self;
        write!(f, "process {pid} on {host} (since {since})")
    }
}

/// The reason why a directory cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds the lock.
    #[error(
        "{} is in use by {}; wait until that ends, or use another directory",
        directory.display(),
        holder.as_ref().map_or("another process".to_owned(), ToString::to_string)
    )]
    Taken {
        /// The directory.
        directory: PathBuf,
        /// The holder of the lock, if known.
        holder: Option<Holder>,
    },
    /// The lock file cannot be opened or locked.
    #[error(transparent)]
    File(#[from] FileError),
}

impl LockError {
    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Taken { .. } => ErrorKind::Input,
            Self::File(error) => error.kind(),
        }
    }
}

impl DirectoryLock {
    /// Takes the lock of an existing directory.
    ///
    /// # Errors
    /// [`LockError::Taken`] if somebody holds the lock, [`LockError::File`] if its file cannot be
    /// opened.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(LOCK);
        let mut tries = 0;
        let file = open_locked(&path, || {
            tries += 1;
            (tries < TRIES).then_some(PAUSE)
        })?;
        match file {
            Some(file) => Ok(Self::named(file, path)),
            None => Err(LockError::Taken {
                directory: directory.to_path_buf(),
                holder: holder(&path),
            }),
        }
    }

    /// Returns whether somebody holds the lock of a directory, as far as can be seen without taking
    /// it.
    pub fn is_taken(directory: &Path) -> bool {
        let file = File::open(directory.join(LOCK));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    fn named(mut file: File, path: PathBuf) -> Self {
        let holder = Holder {
            pid: process::id(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            since: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        };
        // The name is only for messages; a full disk must not keep anyone from working.
        let _ = file
            .set_len(0)
            .and_then(|()| Ok(serde_json::to_string(&holder)?))
            .and_then(|text| writeln!(file, "{text}"));
        Self { file, path }
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Remove the file while we hold the lock, so that nobody finds an orphan. A file of the
        // same name in a directory that has been recreated is not ours.
        if is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
        // Closing the file is not enough: a child process that is being started inherits it until
        // it executes its own program.
        let _ = self.file.unlock();
    }
}

fn holder(path: &Path) -> Option<Holder> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_the_holder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::take(folder.path()).unwrap();
        assert!(DirectoryLock::is_taken(folder.path()));
        let error = DirectoryLock::take(folder.path()).unwrap_err();
        let LockError::Taken { holder, .. } = &error else {
            panic!("{error}");
        };
        let holder = holder.as_ref().unwrap();
        assert_eq!(holder.pid, process::id());
        assert!(humantime::parse_rfc3339(&holder.since).is_ok());
        assert!(error.to_string().contains(&holder.host));
        drop(lock);
        assert!(!DirectoryLock::is_taken(folder.path()));
        assert!(!folder.path().join(LOCK).exists());
        DirectoryLock::take(folder.path()).unwrap();
    }

    #[test]
    fn the_file_of_a_killed_process_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join(LOCK),
            "{\"pid\":1,\"host\":\"h\",\"since\":\"s\"}\n",
        )
        .unwrap();
        DirectoryLock::take(folder.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_at_the_locks_name_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(LOCK)).unwrap();
        DirectoryLock::take(folder.path()).unwrap_err();
        assert_eq!(fs::read(&target).unwrap(), b"kept");
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_was_made_anew_keeps_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("d");
        fs::create_dir(&directory).unwrap();
        let old = DirectoryLock::take(&directory).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        fs::create_dir(&directory).unwrap();
        let _new = DirectoryLock::take(&directory).unwrap();
        drop(old);
        assert!(DirectoryLock::is_taken(&directory));
    }
}
