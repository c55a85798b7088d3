//! Plain text: one row per line, in the column `text`, as the `text` builder of `datasets` reads it.

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

pub(super) fn info(path: &Path, coding: &Coding, stop: &Stop) -> Result<FileInfo> {
    let mut lines = Lines::open(path, coding, stop)?;
    let mut rows = 0;
    while lines.read()? {
        lines.text(rows)?;
        rows += 1;
    }
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    Ok(FileInfo { schema, rows })
}

pub(super) fn read(
    path: &Path,
    coding: &Coding,
    stop: &Stop,
    fields: Vec<FieldRef>,
    rows: Range<u64>,
) -> Result<BatchIter> {
    let schema = Arc::new(Schema::new(fields));
    let mut batches = Batches {
        lines: Lines::open(path, coding, stop)?,
        schema,
        rows,
    };
    Ok(Box::new(until_error(move || batches.batch())))
}

struct Batches {
    lines: Lines<Input>,
    schema: SchemaRef,
    rows: Range<u64>,
}

impl Batches {
    fn batch(&mut self) -> Result<Option<RawBatch>> {
        while self.lines.number < self.rows.start && self.lines.read()? {}
        let first_row = self.lines.number;
        let mut builder = StringBuilder::new();
        let (mut count, mut bytes) = (0, 0);
        while self.lines.number < self.rows.end && count < BATCH_ROWS && bytes < BATCH_BYTES {
            if !self.lines.read()? {
                break;
            }
            let text = self.lines.text(self.lines.number - 1)?;
            bytes += text.len();
            builder.append_value(text);
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let column = Arc::new(builder.finish()) as ArrayRef;
        let columns = self
            .schema
            .fields()
            .iter()
            .map(|_| Arc::clone(&column))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|e| self.lines.error(e.to_string()))?;
        let lines = Some((first_row + 1..=first_row + count as u64).collect());
        Ok(Some(RawBatch {
            batch,
            first_row,
            lines,
        }))
    }
}
