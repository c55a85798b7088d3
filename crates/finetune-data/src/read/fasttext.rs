//! Reads fastText files: each line is a text whose labels are words that begin with `__label__`.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::arrow::array::{ArrayRef, ListBuilder, RecordBatch, RecordBatchOptions, StringBuilder};
use crate::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::input::{Coding, Input};
use super::lines::Lines;
use super::{BATCH_BYTES, BATCH_ROWS, BatchIter, FileInfo, RawBatch, until_error};
use crate::read::options::Stop;
use crate::{Note, Result};

const PREFIX: &str = "__label__";

/// Returns whether the file is in this format, that is, whether its first non-blank line begins
/// with a label.
pub(super) fn is_fasttext(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let start = start.trim_ascii_start();
    start.len() > PREFIX.len() && start.starts_with(PREFIX.as_bytes())
}

/// Reads the file from end to end. The label column holds lists if any row has several labels; it
/// is null where a line has none, as lines to predict may.
pub(super) fn info(
    path: &Path,
    coding: &Coding,
    stop: &Stop,
    notes: &mut Vec<Note>,
) -> Result<FileInfo> {
    let mut rows = Rows::open(path, coding, stop)?;
    let (mut several, mut without) = (None, None);
    while let Some((labels, _)) = rows.next()? {
        let first = match labels.len() {
            0 => &mut without,
            1 => continue,
            _ => &mut several,
        };
        first.get_or_insert(rows.lines.number);
    }
    let label = match several {
        Some(_) => DataType::new_list(DataType::Utf8, true),
        None => DataType::Utf8,
    };
    let lists = match several {
        Some(line) => format!(", several a row (first on line {line})"),
        None => String::new(),
    };
    let none = match without {
        Some(line) => format!(", some without one (first on line {line})"),
        None => String::new(),
    };
    notes.push(Note::new(format!(
        "{}: its lines begin with {PREFIX}, as fastText has them: read as texts with their labels{lists}{none}",
        path.display()
    )));
    let fields = vec![
        Field::new("text", DataType::Utf8, false),
        Field::new("label", label, without.is_some()),
    ];
    Ok(FileInfo {
        schema: Arc::new(Schema::new(fields)),
        rows: rows.row,
    })
}

pub(super) fn read(
    path: &Path,
    coding: &Coding,
    stop: &Stop,
    fields: Vec<FieldRef>,
    range: Range<u64>,
) -> Result<BatchIter> {
    let mut batches = Batches {
        rows: Rows::open(path, coding, stop)?,
        schema: Arc::new(Schema::new(fields)),
        range,
    };
    Ok(Box::new(until_error(move || batches.batch())))
}

struct Rows {
    lines: Lines<Input>,
    /// Number of rows read so far.
    row: u64,
}

impl Rows {
    fn open(path: &Path, coding: &Coding, stop: &Stop) -> Result<Self> {
        Ok(Self {
            lines: Lines::open(path, coding, stop)?,
            row: 0,
        })
    }

    /// Returns the labels and the text of the next line that is not blank.
    fn next(&mut self) -> Result<Option<(Vec<&str>, String)>> {
        loop {
            if !self.lines.read()? {
                return Ok(None);
            }
            if !self.lines.content().trim_ascii().is_empty() {
                break;
            }
        }
        let row = self.row;
        self.row += 1;
        let text = self.lines.text(row)?;
        let (labels, words): (Vec<&str>, Vec<&str>) = text
            .split([' ', '\t'])
            .partition(|word| word.starts_with(PREFIX));
        let labels = labels.iter().map(|label| &label[PREFIX.len()..]);
        Ok(Some((labels.collect(), words.join(" ").trim().to_owned())))
    }
}

struct Batches {
    rows: Rows,
    schema: SchemaRef,
    range: Range<u64>,
}

impl Batches {
    fn batch(&mut self) -> Result<Option<RawBatch>> {
        let first_row = self.rows.row.max(self.range.start);
        let mut texts = StringBuilder::new();
        let mut lists = ListBuilder::new(StringBuilder::new());
        let mut single = StringBuilder::new();
        let (mut numbers, mut bytes) = (Vec::new(), 0);
        while self.rows.row < self.range.end && numbers.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            let row = self.rows.row;
            let Some((labels, text)) = self.rows.next()? else {
                break;
            };
            if row < self.range.start {
                continue;
            }
            bytes += text.len();
            texts.append_value(text);
            single.append_option(labels.first());
            let labels = Some(labels).filter(|labels| !labels.is_empty());
            lists.append_option(labels.map(|labels| labels.into_iter().map(Some)));
            numbers.push(self.rows.lines.number);
        }
        if numbers.is_empty() {
            return Ok(None);
        }
        let text: ArrayRef = Arc::new(texts.finish());
        let (single, lists): (ArrayRef, ArrayRef) =
            (Arc::new(single.finish()), Arc::new(lists.finish()));
        let column = |field: &FieldRef| match (field.name().as_str(), field.data_type()) {
            ("text", _) => Arc::clone(&text),
            (_, DataType::Utf8) => Arc::clone(&single),
            _ => Arc::clone(&lists),
        };
        let columns = self.schema.fields().iter().map(column).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(numbers.len()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|e| self.rows.lines.error(e.to_string()))?;
        Ok(Some(RawBatch {
            batch,
            first_row,
            lines: Some(numbers),
        }))
    }
}
