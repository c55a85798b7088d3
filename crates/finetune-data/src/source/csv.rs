//! CSV and TSV (RFC 4180), strict about quotes and the number of fields. Every column is a string.
//!
//! The usual readers repair a broken quote silently by swallowing the lines that follow; training
//! data deserves an error with the line where the quote opened, hence this small one.

use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use memchr::memchr;

use super::lines::{Lines, MAX_RECORD_BYTES, trim_line_ending};
use super::{BATCH_BYTES, BATCH_ROWS, BatchIter, FileInfo, RawBatch, place, until_error};
use crate::{Error, Result};

pub(super) fn info(path: &Path, delimiter: u8) -> Result<FileInfo> {
    let mut reader = Reader::open(path, delimiter)?;
    let fields: Vec<_> = reader
        .header
        .iter()
        .map(|name| Field::new(name, DataType::Utf8, true))
        .collect();
    let mut rows = 0;
    while reader.next(rows)? {
        rows += 1;
    }
    Ok(FileInfo {
        schema: Arc::new(Schema::new(fields)),
        rows,
    })
}

pub(super) fn read(
    path: &Path,
    delimiter: u8,
    columns: &[usize],
    fields: Vec<FieldRef>,
    rows: Range<u64>,
) -> Result<BatchIter> {
    let reader = Reader::open(path, delimiter)?;
    let schema = Arc::new(Schema::new(fields));
    let mut batches = Batches {
        reader,
        schema,
        columns: columns.to_vec(),
        row: 0,
        rows,
    };
    Ok(Box::new(until_error(move || batches.batch())))
}

struct Batches {
    reader: Reader,
    schema: SchemaRef,
    columns: Vec<usize>,
    row: u64,
    rows: Range<u64>,
}

impl Batches {
    fn batch(&mut self) -> Result<Option<RawBatch>> {
        while self.row < self.rows.start && self.reader.next(self.row)? {
            self.row += 1;
        }
        let first_row = self.row;
        let mut builders: Vec<_> = self.columns.iter().map(|_| StringBuilder::new()).collect();
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while self.row < self.rows.end && lines.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            if !self.reader.next(self.row)? {
                break;
            }
            for (builder, &column) in builders.iter_mut().zip(&self.columns) {
                let value = self
                    .reader
                    .record
                    .field(column, self.row, &self.reader.header)?;
                bytes += value.map_or(0, str::len);
                builder.append_option(value);
            }
            lines.push(self.reader.record.line);
            self.row += 1;
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let arrays = builders
            .into_iter()
            .map(|mut b| Arc::new(b.finish()) as ArrayRef)
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(lines.len()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|e| self.reader.record.lines.error(e.to_string()))?;
        Ok(Some(RawBatch {
            batch,
            first_row,
            lines: Some(lines),
        }))
    }
}

/// Records after the header, each with as many fields as the header.
struct Reader {
    record: Record<BufReader<File>>,
    header: Vec<String>,
}

impl Reader {
    fn open(path: &Path, delimiter: u8) -> Result<Self> {
        let mut record = Record::new(Lines::open(path)?, delimiter);
        if !record.read()? {
            return Err(Error::EmptyFile {
                path: path.to_path_buf(),
            });
        }
        let mut header = Vec::new();
        for index in 0..record.ends.len() {
            let name = std::str::from_utf8(record.bytes(index)).map_err(|_| {
                record
                    .lines
                    .error(format!("the name of column {} is not UTF-8", index + 1))
            })?;
            if header.iter().any(|other| other == name) {
                let message = format!("the header names the column {name:?} twice");
                return Err(record.lines.error(message));
            }
            header.push(name.to_owned());
        }
        Ok(Self { record, header })
    }

    /// Reads the record of `row`; false at the end of the file.
    fn next(&mut self, row: u64) -> Result<bool> {
        if !self.record.read()? {
            return Ok(false);
        }
        let (found, expected) = (self.record.ends.len(), self.header.len());
        if found != expected {
            let (short, delimiter) = (
                if found < expected { "short" } else { "long" },
                if self.record.delimiter == b'\t' {
                    "tab"
                } else {
                    "comma"
                },
            );
            return Err(Error::Line {
                path: self.record.lines.path().to_path_buf(),
                line: self.record.line,
                message: format!(
                    "row {row} is too {short}: {found} fields, but the header has {expected} ({}); \
                     a text with a {delimiter} in it needs quotes around it",
                    crate::error::listed(&self.header, 8)
                ),
            });
        }
        self.record.check_utf8(row, &self.header)?;
        Ok(true)
    }
}

/// One record at a time, fields unquoted and joined in `data`.
struct Record<R> {
    lines: Lines<R>,
    delimiter: u8,
    data: Vec<u8>,
    /// End of each field in `data`.
    ends: Vec<usize>,
    quoted: Vec<bool>,
    /// Line on which the record starts.
    line: u64,
}

impl<R: std::io::BufRead> Record<R> {
    fn new(lines: Lines<R>, delimiter: u8) -> Self {
        Self {
            lines,
            delimiter,
            data: Vec::new(),
            ends: Vec::new(),
            quoted: Vec::new(),
            line: 0,
        }
    }

    /// Reads the next record, skipping blank lines; false at the end of the file.
    fn read(&mut self) -> Result<bool> {
        self.data.clear();
        self.ends.clear();
        self.quoted.clear();
        loop {
            if !self.lines.read()? {
                return Ok(false);
            }
            if !self.lines.content().is_empty() {
                break;
            }
        }
        self.line = self.lines.number;
        let mut position = 0;
        loop {
            let quoted = self.lines.bytes.get(position) == Some(&b'"');
            let next = if quoted {
                self.quoted_field(position + 1)?
            } else {
                let rest = &self.lines.bytes[position..];
                let end = memchr(self.delimiter, rest);
                let field = end.map_or_else(|| trim_line_ending(rest), |end| &rest[..end]);
                self.data.extend_from_slice(field);
                end.map(|end| position + end + 1)
            };
            self.ends.push(self.data.len());
            self.quoted.push(quoted);
            match next {
                Some(next) => position = next,
                None => return Ok(true),
            }
        }
    }

    /// Reads a quoted field whose text starts at `position`, over as many lines as it spans.
    /// Returns where the next field starts, or `None` at the end of the record.
    fn quoted_field(&mut self, mut position: usize) -> Result<Option<usize>> {
        let opened = self.lines.number;
        let error = |line, path: &Path, message| {
            Err(Error::Line {
                path: path.to_path_buf(),
                line,
                message,
            })
        };
        loop {
            let rest = &self.lines.bytes[position..];
            let Some(quote) = memchr(b'"', rest) else {
                self.data.extend_from_slice(rest);
                if self.data.len() > MAX_RECORD_BYTES || !self.lines.read()? {
                    let message = "the quote that opens here is never closed".to_owned();
                    return error(opened, self.lines.path(), message);
                }
                position = 0;
                continue;
            };
            self.data.extend_from_slice(&rest[..quote]);
            position += quote + 1;
            let rest = &self.lines.bytes[position..];
            match rest.first() {
                Some(b'"') => {
                    self.data.push(b'"');
                    position += 1;
                }
                Some(&byte) if byte == self.delimiter => return Ok(Some(position + 1)),
                _ if trim_line_ending(rest).is_empty() => return Ok(None),
                _ => {
                    let after: String = String::from_utf8_lossy(trim_line_ending(rest))
                        .chars()
                        .take(20)
                        .collect();
                    let message = format!(
                        "broken quote: the quoted field that opens on line {opened} closes at column {position} \
                         and is followed by {after:?} instead of a delimiter; write a quote inside a quoted field twice (\"\")"
                    );
                    return error(self.lines.number, self.lines.path(), message);
                }
            }
        }
    }

    fn bytes(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.data[start..self.ends[index]]
    }

    fn check_utf8(&self, row: u64, header: &[String]) -> Result<()> {
        // Fields are checked joined, which is faster, and one by one only when that fails or a
        // character straddles two fields.
        match std::str::from_utf8(&self.data) {
            Ok(text) if self.ends.iter().all(|&end| text.is_char_boundary(end)) => Ok(()),
            _ => (0..self.ends.len()).try_for_each(|i| self.field(i, row, header).map(drop)),
        }
    }

    /// Text of a field; `None` when there is nothing, not even quotes, between the delimiters.
    fn field(&self, index: usize, row: u64, header: &[String]) -> Result<Option<&str>> {
        let bytes = self.bytes(index);
        if bytes.is_empty() && !self.quoted[index] {
            return Ok(None);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Error::Utf8 {
                place: place(self.lines.path(), row, Some(self.line)),
                what: format!("column `{}`", header.get(index).map_or("?", String::as_str)),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records(text: &str, delimiter: u8) -> Result<Vec<Vec<String>>> {
        let mut record = Record::new(Lines::new(text.as_bytes(), Path::new("x.csv")), delimiter);
        let mut all = Vec::new();
        while record.read()? {
            let text = |i| String::from_utf8(record.bytes(i).to_vec()).unwrap();
            all.push((0..record.ends.len()).map(text).collect());
        }
        Ok(all)
    }

    #[test]
    fn fields_quotes_and_line_endings() {
        let text = "\u{feff}a,b\r\n\r\n1,\"x, \"\"y\"\"\nz\"\n,\n\"\",it's \"q\"";
        let expected = [
            ["a", "b"],
            ["1", "x, \"y\"\nz"],
            ["", ""],
            ["", "it's \"q\""],
        ];
        assert_eq!(records(text, b',').unwrap(), expected);
        assert_eq!(records("a,b\tc\n", b'\t').unwrap(), [["a,b", "c"]]);
    }

    #[test]
    fn broken_quotes_name_the_line_that_opens_them() {
        let message = |text| records(text, b',').unwrap_err().to_string();
        assert_eq!(
            message("a,b\n1,\"never closed\n2,x\n"),
            "x.csv, line 2: the quote that opens here is never closed"
        );
        assert!(message("a,b\n\"x\"y,2\n").starts_with("x.csv, line 2: broken quote"));
        let two = message("a,b\n1,\"open\n2,\"closed\"\n");
        assert!(
            two.contains("line 3") && two.contains("opens on line 2"),
            "{two}"
        );
    }

    proptest! {
        /// Whatever is written with quotes comes back.
        #[test]
        fn round_trip(rows in prop::collection::vec(prop::collection::vec("[a-c,\"\n\r\té]{0,6}", 3), 1..6)) {
            let quote = |f: &String| format!("\"{}\"", f.replace('"', "\"\""));
            let text: String = rows
                .iter()
                .map(|row| row.iter().map(quote).collect::<Vec<_>>().join(",") + "\r\n")
                .collect();
            prop_assert_eq!(records(&text, b',').unwrap(), rows);
        }

        /// Any bytes: an error or records, never a panic.
        #[test]
        fn no_panic(bytes in prop::collection::vec(prop::sample::select(b"a,\"\n\r\xff ".to_vec()), 0..40)) {
            let mut record = Record::new(Lines::new(&bytes[..], Path::new("x")), b',');
            while let Ok(true) = record.read() {
                let _ = record.check_utf8(0, &[]);
            }
        }
    }
}
