//! Reads CSV and TSV and is strict about quotes and the number of fields. Every column is a string.
//!
//! The usual parsers, csv-core among them, silently repair a broken quote by swallowing the lines
//! that follow. Training data deserves an error that names the line where the quote opened, hence
//! this small parser.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use crate::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use memchr::{memchr, memchr_iter, memchr2};

use super::dialect::Dialect;
use super::input::{Coding, Input};
use super::lines::{Lines, MAX_RECORD_BYTES, trim_line_ending};
use super::{BATCH_BYTES, BATCH_ROWS, BatchIter, FileInfo, RawBatch, until_error};
use crate::read::options::{CsvHeader, Stop};
use crate::{Error, Note, Result};

/// A CSV file and how it is read.
pub(super) struct Csv<'a> {
    pub(super) path: &'a Path,
    pub(super) coding: Coding,
    pub(super) dialect: Dialect,
    pub(super) header: &'a CsvHeader,
    pub(super) stop: &'a Stop,
}

impl Csv<'_> {
    /// Reads the file from end to end.
    pub(super) fn info(&self, notes: &mut Vec<Note>) -> Result<FileInfo> {
        let mut reader = Reader::open(self)?;
        let fields: Vec<_> = reader
            .header
            .iter()
            .map(|name| Field::new(name, DataType::Utf8, true))
            .collect();
        let mut seen = Seen::default();
        let mut rows = 0;
        while reader.next(rows)? {
            seen.add(&reader.record);
            rows += 1;
        }
        seen.notes(rows, &reader.record, notes);
        Ok(FileInfo {
            schema: Arc::new(Schema::new(fields)),
            rows,
        })
    }

    pub(super) fn read(
        &self,
        columns: &[usize],
        fields: Vec<FieldRef>,
        rows: Range<u64>,
    ) -> Result<BatchIter> {
        let reader = Reader::open(self)?;
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
}

/// Observations about the rows of a file that may deserve a note.
#[derive(Default)]
struct Seen {
    /// Number of rows with a quoted field over several lines.
    long: u64,
    /// First and last line of the first such row.
    first_long: Option<(u64, u64)>,
    /// Number of rows that begin with `#` in a file with `#` comments above its header.
    marked: u64,
    /// Line of the first such row.
    first_marked: Option<u64>,
}

impl Seen {
    fn add<R: std::io::BufRead>(&mut self, record: &Record<R>) {
        if record.lines.number > record.line {
            self.long += 1;
            self.first_long
                .get_or_insert((record.line, record.lines.number));
        }
        if record.commented && record.begins_with(b'#') {
            self.marked += 1;
            self.first_marked.get_or_insert(record.line);
        }
    }

    fn notes<R: std::io::BufRead>(&self, rows: u64, record: &Record<R>, notes: &mut Vec<Note>) {
        let mut note = |line: u64, text: String| {
            let path = record.lines.path().display();
            notes.push(Note::new(format!("{path}, line {line}: {text}")));
        };
        // Where many rows span several lines, the texts simply have paragraphs.
        if let Some((first, last)) = self.first_long
            && self.long <= (rows / 100).max(1)
            && rows > 1
        {
            note(
                first,
                format!(
                    "a quoted field that begins in the row of this line goes on to line {last}, and {} of {rows} rows {} such a field; if a quote is a character like others in this file, read every line as a row with --csv-quoting none",
                    match self.long {
                        1 => "only 1".to_owned(),
                        few => few.to_string(),
                    },
                    if self.long == 1 { "has" } else { "have" }
                ),
            );
        }
        if let Some(first) = self.first_marked {
            note(
                first,
                format!(
                    "{} of the rows {} with #, as the comments above the header do; --csv-comment '#' leaves them out",
                    self.marked,
                    if self.marked == 1 { "begins" } else { "begin" }
                ),
            );
        }
    }
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

/// The records after the header, each with as many fields as the header.
struct Reader {
    record: Record<Input>,
    header: Vec<String>,
}

impl Reader {
    fn open(csv: &Csv<'_>) -> Result<Self> {
        let begin = || -> Result<_> {
            let lines = Lines::open(csv.path, &csv.coding, csv.stop)?;
            Ok(Record::new(lines, csv.dialect))
        };
        let mut record = begin()?;
        if !record.read()? {
            return Err(Error::EmptyFile {
                path: csv.path.to_path_buf(),
            });
        }
        let given = match csv.header {
            CsvHeader::FirstLine => None,
            CsvHeader::Numbers => Some((0..record.len()).map(|index| index.to_string()).collect()),
            CsvHeader::Names { names, .. } if names.len() == record.len() => Some(names.clone()),
            CsvHeader::Names { names, .. } => {
                return Err(record.lines.error(format!(
                    "the first line has {} fields, but {} columns are named: {}",
                    record.len(),
                    names.len(),
                    crate::error::listed(names, 8)
                )));
            }
        };
        if let Some(header) = given {
            let record = match csv.header {
                CsvHeader::Names {
                    replaces_first_line: true,
                    ..
                } => record,
                _ => begin()?,
            };
            return Ok(Self { record, header });
        }
        let mut header: Vec<String> = Vec::with_capacity(record.len());
        let mut names = HashSet::with_capacity(record.len());
        for index in 0..record.len() {
            let name = std::str::from_utf8(record.bytes(index)).map_err(|_| {
                let what = format!("the name of column {}", index + 1);
                record.lines.not_text(0, record.line, what)
            })?;
            if !names.insert(name.to_owned()) {
                let message = format!(
                    "the header names the column {name:?} twice; give one of them another name"
                );
                return Err(record.lines.error(message));
            }
            header.push(name.to_owned());
        }
        Ok(Self { record, header })
    }

    /// Reads the record of `row` and returns false at the end of the file.
    fn next(&mut self, row: u64) -> Result<bool> {
        if !self.record.read()? {
            return Ok(false);
        }
        if self.record.len() != self.header.len() {
            return Err(self.uneven(row));
        }
        if self.repeats_header() {
            let message = format!(
                "row {row} is the header once more ({}), as where files were put together; take the line out",
                crate::error::listed(&self.header, 8)
            );
            return Err(Error::Line {
                path: self.record.lines.path().to_path_buf(),
                line: self.record.line,
                message,
            });
        }
        self.record.check_utf8(row, &self.header)?;
        Ok(true)
    }

    /// Returns whether the record repeats the header. A file with a single column may contain its
    /// name as a text.
    fn repeats_header(&self) -> bool {
        let mut names = self.header.iter().enumerate();
        self.header.len() > 1 && names.all(|(i, name)| self.record.bytes(i) == name.as_bytes())
    }

    fn uneven(&self, row: u64) -> Error {
        let (found, expected) = (self.record.len(), self.header.len());
        let dialect = &self.record.dialect;
        let delimiter = dialect.delimiter_name();
        let short = if found < expected { "short" } else { "long" };
        let advice = if dialect.comment.is_none() && self.record.begins_with(b'#') {
            "if the line is a comment, say --csv-comment '#'".to_owned()
        } else if dialect.quote.is_none() {
            format!("with --csv-quoting none a text cannot have a {delimiter} in it")
        } else {
            format!("a text with a {delimiter} in it needs quotes around it")
        };
        Error::Line {
            path: self.record.lines.path().to_path_buf(),
            line: self.record.line,
            message: format!(
                "row {row} is too {short}: {found} fields, but the header has {expected} ({}); {advice}",
                crate::error::listed(&self.header, 8)
            ),
        }
    }
}

/// Splits lines into fields, one record at a time.
pub(super) struct Record<R> {
    lines: Lines<R>,
    dialect: Dialect,
    /// The fields without their quotes, separated by one byte (usually the delimiter).
    data: Vec<u8>,
    /// End of each field in `data`.
    ends: Vec<usize>,
    /// Which fields were quoted; empty if none were.
    quoted: Vec<bool>,
    /// Line on which the record starts.
    line: u64,
    /// Whether there were comments above the header.
    commented: bool,
}

impl<R: std::io::BufRead> Record<R> {
    pub(super) fn new(lines: Lines<R>, dialect: Dialect) -> Self {
        Self {
            lines,
            dialect,
            data: Vec::new(),
            ends: Vec::new(),
            quoted: Vec::new(),
            line: 0,
            commented: false,
        }
    }

    /// Returns the number of fields.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether the first field begins with this byte.
    pub(super) fn begins_with(&self, byte: u8) -> bool {
        self.data.first() == Some(&byte)
    }

    /// Reads the next record, skipping blank lines and comments, and returns false at the end of
    /// the file.
    pub(super) fn read(&mut self) -> Result<bool> {
        self.data.clear();
        self.ends.clear();
        self.quoted.clear();
        loop {
            if !self.lines.read()? {
                return Ok(false);
            }
            if self.lines.number <= self.dialect.preamble {
                self.commented |= self.lines.content().first() == Some(&b'#');
                continue;
            }
            match self.lines.content().first() {
                None => {}
                first if first.is_some() && first == self.dialect.comment.as_ref() => {}
                _ => break,
            }
        }
        self.line = self.lines.number;
        match self.dialect.quote {
            Some(quote) if memchr(quote, &self.lines.bytes).is_some() => self.split_quoted(quote),
            _ => {
                self.split_plain();
                Ok(true)
            }
        }
    }

    /// Splits a line without quotes in place.
    fn split_plain(&mut self) {
        std::mem::swap(&mut self.data, &mut self.lines.bytes);
        self.data.truncate(trim_line_ending(&self.data).len());
        self.ends
            .extend(memchr_iter(self.dialect.delimiter, &self.data));
        self.ends.push(self.data.len());
    }

    fn split_quoted(&mut self, quote: u8) -> Result<bool> {
        let mut position = 0;
        loop {
            let quoted = self.lines.bytes.get(position) == Some(&quote);
            let next = if quoted {
                self.quoted_field(quote, position + 1)?
            } else {
                let rest = &self.lines.bytes[position..];
                let end = memchr(self.dialect.delimiter, rest);
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
            // Every delimiter is ASCII, so no character spans two fields.
            self.data.push(self.dialect.delimiter);
        }
    }

    /// Reads a quoted field whose text starts at `position`, over as many lines as it spans.
    /// Returns where the next field starts, or `None` at the end of the record.
    fn quoted_field(&mut self, quote: u8, mut position: usize) -> Result<Option<usize>> {
        let opened = self.lines.number;
        let start = self.data.len();
        loop {
            let rest = &self.lines.bytes[position..];
            let found = match self.dialect.backslash {
                true => memchr2(quote, b'\\', rest),
                false => memchr(quote, rest),
            };
            let Some(at) = found else {
                self.data.extend_from_slice(rest);
                if self.data.len() > MAX_RECORD_BYTES || !self.lines.read()? {
                    return Err(Error::OpenQuote {
                        path: self.lines.path().to_path_buf(),
                        line: opened,
                    });
                }
                position = 0;
                continue;
            };
            self.data.extend_from_slice(&rest[..at]);
            position += at + 1;
            let is_backslash = rest[at] != quote;
            let rest = &self.lines.bytes[position..];
            match rest.first() {
                Some(&byte) if is_backslash => {
                    if byte != quote && byte != b'\\' {
                        self.data.push(b'\\');
                    }
                    self.data.push(byte);
                    position += 1;
                }
                None if is_backslash => self.data.push(b'\\'),
                Some(&byte) if byte == quote => {
                    self.data.push(quote);
                    position += 1;
                }
                Some(&byte) if byte == self.dialect.delimiter => return Ok(Some(position + 1)),
                _ if trim_line_ending(rest).is_empty() => return Ok(None),
                _ => return Err(self.broken_quote(opened, position, self.data.len() > start)),
            }
        }
    }

    /// The error for a quoted field that closes at `position` of this line but has more text after
    /// it.
    fn broken_quote(&self, opened: u64, position: usize, has_text: bool) -> Error {
        let rest = trim_line_ending(&self.lines.bytes[position..]);
        let after: String = String::from_utf8_lossy(rest).chars().take(20).collect();
        Error::BrokenQuote {
            path: self.lines.path().to_path_buf(),
            line: self.lines.number,
            opened,
            column: position,
            after,
            backslash: has_text && self.data.last() == Some(&b'\\') && !self.dialect.backslash,
        }
    }

    fn bytes(&self, index: usize) -> &[u8] {
        let start = if index == 0 {
            0
        } else {
            self.ends[index - 1] + 1
        };
        &self.data[start..self.ends[index]]
    }

    fn check_utf8(&self, row: u64, header: &[String]) -> Result<()> {
        // Checking all fields at once is faster; they are checked one by one only to name the
        // column.
        match std::str::from_utf8(&self.data) {
            Ok(_) => Ok(()),
            Err(_) => (0..self.len()).try_for_each(|i| self.field(i, row, header).map(drop)),
        }
    }

    /// Returns the text of a field, or `None` if there is nothing, not even quotes, between the
    /// delimiters.
    fn field(&self, index: usize, row: u64, header: &[String]) -> Result<Option<&str>> {
        let bytes = self.bytes(index);
        if bytes.is_empty() && !self.quoted.get(index).is_some_and(|&quoted| quoted) {
            return Ok(None);
        }
        std::str::from_utf8(bytes).map(Some).map_err(|_| {
            let name = header.get(index).map_or("?", String::as_str);
            self.lines
                .not_text(row, self.line, format!("column `{name}`"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CsvOptions;
    use proptest::prelude::*;

    fn usual(delimiter: u8) -> Dialect {
        Dialect::new(&CsvOptions::default(), delimiter)
    }

    fn read(text: &str, dialect: Dialect) -> Result<Vec<Vec<String>>> {
        let mut record = Record::new(Lines::new(text.as_bytes(), Path::new("x.csv")), dialect);
        let mut all = Vec::new();
        while record.read()? {
            let text = |i| String::from_utf8(record.bytes(i).to_vec()).unwrap();
            all.push((0..record.len()).map(text).collect());
        }
        Ok(all)
    }

    fn records(text: &str, delimiter: u8) -> Result<Vec<Vec<String>>> {
        read(text, usual(delimiter))
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
    fn other_dialects() {
        let literal = Dialect {
            quote: None,
            ..usual(b',')
        };
        let text = "a,b\n\"x,1\ny\",\"2\n";
        assert_eq!(
            read(text, literal).unwrap(),
            [["a", "b"], ["\"x", "1"], ["y\"", "\"2"]]
        );
        let backslash = Dialect {
            backslash: true,
            ..usual(b',')
        };
        let text = "\"say \\\"hi\\\", \"\"you\"\" \\\\\",C:\\new\n\"a\\n\\\",b\"\",c\",d\n";
        assert_eq!(
            read(text, backslash).unwrap(),
            [["say \"hi\", \"you\" \\", "C:\\new"], ["a\\n\",b\",c", "d"]]
        );
        let comments = Dialect {
            comment: Some(b'#'),
            quote: Some(b'\''),
            ..usual(b';')
        };
        let text = "# one\na;b\n#two\n'it''s; #3';\"\n";
        assert_eq!(
            read(text, comments).unwrap(),
            [["a", "b"], ["it's; #3", "\""]]
        );
    }

    #[test]
    fn broken_quotes_name_the_line_that_opens_them() {
        let message = |text| records(text, b',').unwrap_err().to_string();
        let open = message("a,b\n1,\"never closed\n2,x\n");
        assert!(
            open.starts_with("x.csv, line 2: the quote that opens here is never closed"),
            "{open}"
        );
        assert!(message("a,b\n\"x\"y,2\n").starts_with("x.csv, line 2: broken quote"));
        let two = message("a,b\n1,\"open\n2,\"closed\"\n");
        assert!(
            two.contains("line 3") && two.contains("opens on line 2"),
            "{two}"
        );
        let slash = message("a,b\n\"he \\\"said\\\"\",2\n");
        assert!(slash.contains("--csv-escape backslash"), "{slash}");
    }

    proptest! {
        /// Whatever is written in quotes is read back unchanged.
        #[test]
        fn round_trip(rows in prop::collection::vec(prop::collection::vec("[a-c,\"\n\r\té]{0,6}", 3), 1..6)) {
            let quote = |f: &String| format!("\"{}\"", f.replace('"', "\"\""));
            let text: String = rows
                .iter()
                .map(|row| row.iter().map(quote).collect::<Vec<_>>().join(",") + "\r\n")
                .collect();
            prop_assert_eq!(records(&text, b',').unwrap(), rows);
        }

        /// Whatever is written with backslash escapes is read back unchanged.
        #[test]
        fn round_trip_with_backslashes(rows in prop::collection::vec(prop::collection::vec("[a-c,\"\n\\\\é]{0,6}", 3), 1..6)) {
            let quote = |f: &String| format!("\"{}\"", f.replace('\\', "\\\\").replace('"', "\\\""));
            let text: String = rows
                .iter()
                .map(|row| row.iter().map(quote).collect::<Vec<_>>().join(";") + "\n")
                .collect();
            let dialect = Dialect { backslash: true, ..usual(b';') };
            prop_assert_eq!(read(&text, dialect).unwrap(), rows);
        }

        /// Arbitrary bytes give an error or records, but never a panic.
        #[test]
        fn no_panic(bytes in prop::collection::vec(prop::sample::select(b"a,\"\n\r\xff\\# ".to_vec()), 0..40), backslash: bool) {
            let dialect = Dialect { backslash, comment: backslash.then_some(b'#'), ..usual(b',') };
            let mut record = Record::new(Lines::new(&bytes[..], Path::new("x")), dialect);
            while let Ok(true) = record.read() {
                let _ = record.check_utf8(0, &[]);
            }
        }
    }
}
