//! Standard output.

use std::{
    io::{Error, ErrorKind, Write, stdout},
    path::Path,
};

use crate::error::Failure;

/// Writes to standard output, at once.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => cannot_write(Path::new("standard output"), &error),
    })
}

/// That a file cannot be written, and why.
pub fn cannot_write(path: &Path, error: &Error) -> Failure {
    Failure::User(format!("cannot write {}: {error}", path.display()))
}
