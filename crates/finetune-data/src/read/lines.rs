//! Lines of a text file, with their numbers and a bound on their length.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use encoding_rs::UTF_8;

use super::input::{Coding, Input, read_error};
use crate::error::Place;
use crate::read::options::Stop;
use crate::{Error, Result};

/// Length limit of a line or CSV record. Anything longer is taken for a binary file or an unclosed
/// quote rather than read into memory.
pub(crate) const MAX_RECORD_BYTES: usize = 64 << 20;

/// Reads raw lines: the line ending is kept, a UTF-8 byte order mark at the start is dropped.
pub(crate) struct Lines<R> {
    input: R,
    path: Arc<Path>,
    /// Number of the line that `read` last filled, counted from 1.
    pub(crate) number: u64,
    /// The bytes of that line.
    pub(crate) bytes: Vec<u8>,
    /// Name of the input's encoding, for error messages.
    encoding: &'static str,
}

impl Lines<Input> {
    pub(crate) fn open(path: &Path, coding: &Coding, stop: &Stop) -> Result<Self> {
        let lines = Lines::new(Input::open(path, coding, stop)?, path);
        Ok(Self {
            encoding: coding.encoding.name(),
            ..lines
        })
    }
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R, path: &Path) -> Self {
        Self {
            input,
            path: path.into(),
            number: 0,
            bytes: Vec::new(),
            encoding: UTF_8.name(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the next line into [`bytes`](Self::bytes) and returns false at the end of the file.
    pub(crate) fn read(&mut self) -> Result<bool> {
        self.bytes.clear();
        let mut limited = std::io::Read::take(&mut self.input, MAX_RECORD_BYTES as u64 + 1);
        let read = limited
            .read_until(b'\n', &mut self.bytes)
            .map_err(|e| read_error(&self.path, e))?;
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

    /// Returns the line without its ending.
    pub(crate) fn content(&self) -> &[u8] {
        trim_line_ending(&self.bytes)
    }

    /// Returns the line without its ending, as text. `row` is named in the error.
    pub(crate) fn text(&self, row: u64) -> Result<&str> {
        std::str::from_utf8(self.content()).map_err(|e| {
            let what = format!("byte {} of the line", e.valid_up_to() + 1);
            self.not_text(row, self.number, what)
        })
    }

    /// The error for a `what` that is not valid text, in a row that begins on `line`.
    pub(crate) fn not_text(&self, row: u64, line: u64, what: String) -> Error {
        Error::Utf8 {
            place: Place {
                file: self.path.clone(),
                row,
                line: Some(line),
            },
            what,
            encoding: self.encoding,
        }
    }

    /// Returns the input's buffered bytes, for readers of things other than lines; empty at the end
    /// of the file.
    pub(crate) fn peek(&mut self) -> Result<&[u8]> {
        let next = self.input.fill_buf();
        next.map_err(|e| read_error(&self.path, e))
    }

    /// Skips bytes that [`peek`](Self::peek) returned.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
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
