//! Lines of a text file, with their numbers and a bound on their length.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use crate::error::Place;
use crate::{Error, Result};

/// Longest line or CSV record. Beyond it the file is taken for binary or for one with a quote that
/// never closes, rather than read into memory.
pub(crate) const MAX_RECORD_BYTES: usize = 64 << 20;

/// Reads raw lines: the ending stays on, a UTF-8 byte order mark at the start goes.
pub(crate) struct Lines<R> {
    input: R,
    path: Arc<Path>,
    /// Number of the line that `read` filled last, counted from 1.
    pub(crate) number: u64,
    /// The bytes of that line.
    pub(crate) bytes: Vec<u8>,
}

impl Lines<BufReader<File>> {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, "open", e))?;
        Ok(Lines::new(BufReader::with_capacity(1 << 18, file), path))
    }
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R, path: &Path) -> Self {
        Self {
            input,
            path: path.into(),
            number: 0,
            bytes: Vec::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the next line into [`bytes`](Self::bytes); false at the end of the file.
    pub(crate) fn read(&mut self) -> Result<bool> {
        self.bytes.clear();
        let mut limited = std::io::Read::take(&mut self.input, MAX_RECORD_BYTES as u64 + 1);
        let read = limited
            .read_until(b'\n', &mut self.bytes)
            .map_err(|e| Error::io(&self.path, "read", e))?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        if self.bytes.len() > MAX_RECORD_BYTES {
            return Err(self.error(format!(
                "the line is longer than {} MiB; is this a text file?",
                MAX_RECORD_BYTES >> 20
            )));
        }
        if self.number == 1 && self.bytes.starts_with(b"\xef\xbb\xbf") {
            self.bytes.drain(..3);
        }
        Ok(true)
    }

    /// The line without its ending.
    pub(crate) fn content(&self) -> &[u8] {
        trim_line_ending(&self.bytes)
    }

    /// The line without its ending, as text. `row` is for the message.
    pub(crate) fn text(&self, row: u64) -> Result<&str> {
        std::str::from_utf8(self.content()).map_err(|e| Error::Utf8 {
            place: Place {
                file: self.path.clone(),
                row,
                line: Some(self.number),
            },
            what: format!("byte {} of the line", e.valid_up_to() + 1),
        })
    }

    pub(crate) fn error(&self, message: String) -> Error {
        Error::Line {
            path: self.path.to_path_buf(),
            line: self.number,
            message,
        }
    }
}

pub(crate) fn trim_line_ending(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
