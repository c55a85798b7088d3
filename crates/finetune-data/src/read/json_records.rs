//! Splits JSON into objects: one per line, or the elements of an array.

use std::io::BufRead;
use std::path::Path;

use memchr::memchr2;

use super::input::{Coding, Input};
use super::lines::{Lines, MAX_RECORD_BYTES};
use crate::read::options::Stop;
use crate::{Error, Place, Result};

/// The records of a file.
pub(super) enum Records<R> {
    Lines(Lines<R>),
    Array(Elements<R>),
}

impl Records<Input> {
    /// Opens a file; its first character tells whether it holds an array.
    pub(super) fn open(path: &Path, coding: &Coding, stop: &Stop) -> Result<Self> {
        let mut lines = Lines::open(path, coding, stop)?;
        let start = lines.peek()?;
        let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
        if start.trim_ascii_start().first() != Some(&b'[') {
            return Ok(Self::Lines(lines));
        }
        Ok(Self::Array(Elements {
            lines,
            state: State::Before,
            line: 1,
            start: 1,
            bytes: Vec::new(),
        }))
    }
}

impl<R: BufRead> Records<R> {
    /// Reads the next record and returns false at the end of the file.
    pub(super) fn read(&mut self) -> Result<bool> {
        match self {
            Self::Array(elements) => elements.read(),
            Self::Lines(lines) => {
                while lines.read()? {
                    if !lines.content().iter().all(u8::is_ascii_whitespace) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// Returns the text of the record. `row` is named in the error.
    pub(super) fn text(&self, row: u64) -> Result<&str> {
        match self {
            Self::Lines(lines) => lines.text(row),
            Self::Array(elements) => std::str::from_utf8(&elements.bytes).map_err(|e| {
                let what = format!("byte {} of the object", e.valid_up_to() + 1);
                elements.lines.not_text(row, elements.start, what)
            }),
        }
    }

    /// Returns the size of the record in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Lines(lines) => lines.bytes.len(),
            Self::Array(elements) => elements.bytes.len(),
        }
    }

    /// Returns the line on which the record begins.
    pub(super) fn line(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.number,
            Self::Array(elements) => elements.start,
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Lines(lines) => lines.path(),
            Self::Array(elements) => elements.lines.path(),
        }
    }

    pub(super) fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    /// Creates an error for the record, `further` lines below its first.
    pub(super) fn error(&self, row: u64, further: u64, message: String) -> Error {
        Error::Record {
            place: Place {
                file: self.path().into(),
                row,
                line: Some(self.line() + further),
            },
            message,
        }
    }
}

/// The elements of an array, regardless of how they are spread over lines.
pub(super) struct Elements<R> {
    lines: Lines<R>,
    state: State,
    /// Line of the next byte.
    line: u64,
    /// Line on which the element begins.
    start: u64,
    /// The bytes of the element.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// The opening bracket has not been read yet.
    Before,
    /// The opening bracket has just been read.
    First,
    /// An element has been read.
    Between,
    /// The closing bracket has been read.
    After,
}

impl<R: BufRead> Elements<R> {
    fn read(&mut self) -> Result<bool> {
        self.bytes.clear();
        loop {
            let next = self.peek()?;
            match (self.state, next) {
                (State::Before, Some(b'[')) => {
                    self.take();
                    self.state = State::First;
                }
                (State::First | State::Between, Some(b']')) => {
                    self.take();
                    self.state = State::After;
                }
                (State::First, Some(_)) => return self.element().map(|()| true),
                (State::Between, Some(b',')) => {
                    self.take();
                    return match self.peek()? {
                        Some(b']') => Err(self.error(
                            "there is a comma behind the last element of the array; JSON has none there",
                        )),
                        _ => self.element().map(|()| true),
                    };
                }
                (State::Between, Some(_)) => {
                    return Err(self.error("expected a comma or ] behind an element of the array"));
                }
                (State::After, None) => return Ok(false),
                (State::After, Some(_)) => {
                    return Err(self.error("there is something behind the array's ]"));
                }
                (_, None) => return Err(self.unclosed()),
                (State::Before, Some(_)) => return Err(self.error("expected an array")),
            }
        }
    }

    /// Returns the next byte that is not whitespace.
    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            let Some(&byte) = self.lines.peek()?.first() else {
                return Ok(None);
            };
            // A UTF-8 byte order mark may precede the array.
            let is_mark = self.state == State::Before && matches!(byte, 0xef | 0xbb | 0xbf);
            if !byte.is_ascii_whitespace() && !is_mark {
                return Ok(Some(byte));
            }
            self.line += u64::from(byte == b'\n');
            self.take();
        }
    }

    fn take(&mut self) {
        self.lines.consume(1);
    }

    /// Reads an element up to the delimiter after it, parsing no more than that takes.
    fn element(&mut self) -> Result<()> {
        self.start = self.line;
        let (mut depth, mut in_string, mut escaped) = (0u32, false, false);
        loop {
            let chunk = self.lines.peek()?;
            if chunk.is_empty() {
                return Err(self.unclosed());
            }
            let mut at = 0;
            let mut done = false;
            while at < chunk.len() {
                if in_string && !escaped {
                    // Most bytes of most files are inside strings.
                    match memchr2(b'"', b'\\', &chunk[at..]) {
                        None => {
                            at = chunk.len();
                            break;
                        }
                        Some(skip) => at += skip,
                    }
                }
                let byte = chunk[at];
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if in_string => escaped = true,
                    b'"' => in_string = !in_string,
                    _ if in_string => {}
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' if depth > 0 => depth -= 1,
                    b',' | b']' | b'}' if depth == 0 => {
                        done = true;
                        break;
                    }
                    _ => {}
                }
                at += 1;
            }
            self.bytes.extend_from_slice(&chunk[..at]);
            self.line += memchr::memchr_iter(b'\n', &chunk[..at]).count() as u64;
            self.lines.consume(at);
            if self.bytes.len() > MAX_RECORD_BYTES {
                return Err(self.error(&format!(
                    "the element that begins on line {} is longer than {} MiB; is this a list of rows?",
                    self.start,
                    MAX_RECORD_BYTES >> 20
                )));
            }
            if done {
                self.state = State::Between;
                return Ok(());
            }
        }
    }

    fn unclosed(&self) -> Error {
        self.error("the array is never closed; the file may be cut short")
    }

    fn error(&self, message: &str) -> Error {
        Error::Line {
            path: self.lines.path().to_path_buf(),
            line: self.line,
            message: message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn elements(text: &str, buffer: usize) -> Result<Vec<(u64, String)>> {
        let input = BufReader::with_capacity(buffer, text.as_bytes());
        let mut elements = Elements {
            lines: Lines::new(input, Path::new("x.json")),
            state: State::Before,
            line: 1,
            start: 1,
            bytes: Vec::new(),
        };
        let mut all = Vec::new();
        while elements.read()? {
            let text = String::from_utf8(elements.bytes.clone()).unwrap();
            all.push((elements.start, text.trim().to_owned()));
        }
        Ok(all)
    }

    #[test]
    fn elements_however_they_are_spread() {
        let text = " [\n{\"a\": \"],\\\"}\"},{\"b\":\n[1,[2]]} ,\n 3 , \"x,y\"\n]\n";
        for buffer in [1, 2, 7, 1000] {
            let found = elements(text, buffer).unwrap();
            let expected = [
                (2, "{\"a\": \"],\\\"}\"}"),
                (2, "{\"b\":\n[1,[2]]}"),
                (4, "3"),
                (4, "\"x,y\""),
            ];
            assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
        }
        assert_eq!(elements("[]", 8).unwrap(), []);
    }

    #[test]
    fn what_is_no_array() {
        for (text, words) in [
            ("[{}", "never closed"),
            ("[{\"a\":\"", "never closed"),
            ("[{},\n]", "line 2: there is a comma behind the last"),
            ("[{}] x", "something behind"),
            ("[{}]]", "something behind"),
        ] {
            let error = elements(text, 3).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        // This counts as one element here; the JSON parser rejects it later.
        assert_eq!(elements("[{} {}]", 3).unwrap()[0].1, "{} {}");
    }
}
