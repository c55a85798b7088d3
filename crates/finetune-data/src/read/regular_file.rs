//! Telling files from what only has a file's name.

use std::fs::Metadata;
use std::path::Path;

use crate::{Error, Result};

/// The metadata of a file. Its kind is looked at before it is opened, because opening a pipe waits for
/// somebody to write into it.
///
/// # Errors
/// [`Error::NotAFile`] for a directory, pipe, socket or device; nothing there, or no permission.
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

/// Whether a file of a model is there. A link that leads nowhere, or something else by its name, is not
/// taken for its absence, which other files would make up for.
///
/// # Errors
/// As of [`regular_file`].
pub(crate) fn is_there(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        _ => regular_file(path).map(|_| true),
    }
}

/// What the path is, if neither file nor directory.
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
