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
            advice: "rows are read more than once, so write them into a file first",
        }),
        None => Ok(metadata),
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
