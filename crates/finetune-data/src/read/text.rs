//! Plain text in the column `text`: one row per line, as the `text` builder of `datasets` reads it, or
//! one per document.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use crate::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::input::{Coding, Input};
use super::lines::Lines;
use super::{BATCH_BYTES, BATCH_ROWS, BatchIter, FileInfo, RawBatch, until_error};
use crate::Result;
use crate::read::options::Stop;

/// Bytes after which a document goes on in the next row, at the end of a line: more than any window of
/// tokens takes.
const LONGEST_DOCUMENT: usize = 1 << 20;

pub(super) fn info(path: &Path, coding: &Coding, stop: &Stop, documents: bool) -> Result<FileInfo> {
    let mut texts = Texts::new(Lines::open(path, coding, stop)?, documents);
    while texts.read()? {}
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    Ok(FileInfo {
        schema,
        rows: texts.number,
    })
}

/// Returns the number, from 1, of the first blank line between two others.
pub(super) fn blank_line(path: &Path, coding: &Coding, stop: &Stop) -> Result<Option<u64>> {
    let mut lines = Lines::open(path, coding, stop)?;
    let (mut begun, mut blank) = (false, None);
    while lines.read()? {
        match (lines.content().trim_ascii().is_empty(), blank) {
            (false, Some(_)) => return Ok(blank),
            (false, None) => begun = true,
            (true, None) if begun => blank = Some(lines.number),
            (true, _) => {}
        }
    }
    Ok(None)
}

pub(super) fn read(
    path: &Path,
    coding: &Coding,
    stop: &Stop,
    documents: bool,
    fields: Vec<FieldRef>,
    rows: Range<u64>,
) -> Result<BatchIter> {
    let schema = Arc::new(Schema::new(fields));
    let mut batches = Batches {
        texts: Texts::new(Lines::open(path, coding, stop)?, documents),
        schema,
        rows,
    };
    Ok(Box::new(until_error(move || batches.batch())))
}

/// The texts of a file: its lines, or its documents.
struct Texts {
    lines: Lines<Input>,
    documents: bool,
    /// Number of texts read.
    number: u64,
    /// The text last read, and the number of its first line.
    text: String,
    line: u64,
}

impl Texts {
    fn new(lines: Lines<Input>, documents: bool) -> Self {
        Self {
            lines,
            documents,
            number: 0,
            text: String::new(),
            line: 0,
        }
    }

    /// Reads the next text, and returns false at the end of the file.
    fn read(&mut self) -> Result<bool> {
        self.text.clear();
        let first = match self.documents {
            true => self.document()?,
            false => self.one_line()?,
        };
        self.line = first.unwrap_or_default();
        self.number += u64::from(first.is_some());
        Ok(first.is_some())
    }

    /// Reads a line, and returns its number.
    fn one_line(&mut self) -> Result<Option<u64>> {
        if !self.lines.read()? {
            return Ok(None);
        }
        self.text.push_str(self.lines.text(self.number)?);
        Ok(Some(self.lines.number))
    }

    /// Reads the lines up to the next blank one, and returns the number of the first.
    fn document(&mut self) -> Result<Option<u64>> {
        let mut first = None;
        while self.text.len() < LONGEST_DOCUMENT && self.lines.read()? {
            let is_blank = self.lines.content().trim_ascii().is_empty();
            match (is_blank, first) {
                (true, Some(_)) => break,
                (true, None) => continue,
                (false, Some(_)) => self.text.push('\n'),
                (false, None) => first = Some(self.lines.number),
            }
            self.text.push_str(self.lines.text(self.number)?);
        }
        Ok(first)
    }
}

struct Batches {
    texts: Texts,
    schema: SchemaRef,
    rows: Range<u64>,
}

impl Batches {
    fn batch(&mut self) -> Result<Option<RawBatch>> {
        while self.texts.number < self.rows.start && self.texts.read()? {}
        let first_row = self.texts.number;
        let mut builder = StringBuilder::new();
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while self.texts.number < self.rows.end && lines.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            if !self.texts.read()? {
                break;
            }
            bytes += self.texts.text.len();
            builder.append_value(&self.texts.text);
            lines.push(self.texts.line);
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let column = Arc::new(builder.finish()) as ArrayRef;
        let columns = self
            .schema
            .fields()
            .iter()
            .map(|_| Arc::clone(&column))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(lines.len()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|e| self.texts.lines.error(e.to_string()))?;
        Ok(Some(RawBatch {
            batch,
            first_row,
            lines: Some(lines),
        }))
    }
}
