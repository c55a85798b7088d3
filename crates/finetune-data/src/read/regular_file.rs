//! Distinguishes regular files from pipes, devices and directories.

use std::fs::Metadata;
use std::path::Path;

use crate::{Error, Result};

/// Returns the metadata of a regular file. The kind is checked before the file is opened, because
/// opening a pipe blocks until somebody writes into it.
///
/// # Errors
/// Returns [`Error::NotAFile`] for a directory, pipe, socket or device, and [`Error::Io`] if the
/// path does not exist or may not be read.
pub fn regular_file(path: &Path) -> Result<Metadata> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, "read", e))?;
    if metadata.is_dir() {
        return Err(Error::NotAFile {
            path: path.to_path_buf(),
            kind: "a directory",
            advice: "name a file in it",
        });
    }
    match special(&metadata) {
        Some(kind) => Err(Error::NotAFile {
            path: path.to_path_buf(),
            kind,
            advice: "it is read more than once, so write its content into a file first",
        }),
        None => Ok(metadata),
    }
}

/// Returns whether a model's file exists. A dangling link, or anything but a regular file under
/// that name, is an error rather than an absence that other files would silently make up for.
///
/// # Errors
/// The errors of [`regular_file`].
pub(crate) fn is_there(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        _ => regular_file(path).map(|_| true),
    }
}

/// Names the kind of a path that is neither a file nor a directory.
#[cfg(unix)]
fn special(metadata: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else if kind.is_char_device() || kind.is_block_device() {
        Some("a device")
    } else {
        None
    }
}

#[cfg(not(unix))]
fn special(metadata: &Metadata) -> Option<&'static str> {
    (!metadata.is_file()).then_some("a device")
}
