//! An error of a file: what was tried, where, and the system's reason.

use std::io;
use std::path::{Path, PathBuf};

use crate::ErrorKind;

/// A file or directory could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct FileError {
    /// What was tried, as a verb: "write", "read", "create", …
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

impl FileError {
    /// An error that occurred when `action` was tried on `path`.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            action,
            path: path.to_path_buf(),
            source,
        }
    }

    /// Classifies the error.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::of(&self.source)
    }
}

/// Adds the action and the file to an [`io::Error`].
pub trait IoContext<T> {
    /// Names what was tried on which file.
    ///
    /// # Errors
    /// Those of `self`.
    fn context(self, action: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError::new(action, path, source))
    }
}
