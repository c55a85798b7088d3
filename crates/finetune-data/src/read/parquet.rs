//! Reads Parquet one row group at a time.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Type as PhysicalType;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::reader::FileReader as _;
use parquet::file::serialized_reader::SerializedFileReader;

use super::{BATCH_ROWS, BatchIter, FileInfo, RawBatch, guarded, place, until_error};
use crate::{Error, Result};

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(|e| Error::io(path, "open", e))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| unreadable(path, &e))
}

const FORMAT: &str = "Parquet";

pub(super) fn info(path: &Path) -> Result<FileInfo> {
    let builder = guarded(path, FORMAT, || open(path))?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows())
        .map_err(|_| corrupt(path, &"negative number of rows"))?;
    let mut groups = builder.metadata().row_groups().iter();
    let sum = groups.try_fold(0u64, |sum, group| {
        sum.checked_add(u64::try_from(group.num_rows()).ok()?)
    });
    if sum != Some(rows) {
        return Err(corrupt(
            path,
            &format!("it claims to have {rows} rows, its parts have another number"),
        ));
    }
    Ok(FileInfo {
        schema: builder.schema().clone(),
        rows,
    })
}

pub(super) fn read(path: &Path, columns: &[usize], rows: Range<u64>) -> Result<BatchIter> {
    guarded(path, FORMAT, || batches(path, columns, rows))
}

fn batches(path: &Path, columns: &[usize], rows: Range<u64>) -> Result<BatchIter> {
    let builder = open(path)?;
    // Skip whole row groups, then rows within the first and last one.
    let (mut groups, mut first, mut before) = (Vec::new(), None, 0u64);
    for (index, group) in builder.metadata().row_groups().iter().enumerate() {
        let len = u64::try_from(group.num_rows())
            .map_err(|_| corrupt(path, &"a row group with a negative number of rows"))?;
        let end = before.saturating_add(len);
        if before < rows.end && end > rows.start {
            groups.push(index);
            first.get_or_insert(before);
        }
        before = end;
    }
    let offset = rows.start - first.unwrap_or(rows.start).min(rows.start);
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
    let reader = builder
        .with_projection(mask)
        .with_row_groups(groups)
        .with_offset(offset as usize)
        .with_limit((rows.end - rows.start) as usize)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|e| unreadable(path, &e))?;
    // The mask keeps the order of the file, so put the columns into the requested order.
    let mut sorted = columns.to_vec();
    sorted.sort_unstable();
    let order = columns
        .iter()
        .filter_map(|c| sorted.binary_search(c).ok())
        .collect();
    let path = path.to_path_buf();
    let mut batches = Batches {
        reader,
        path: path.clone(),
        order,
        next_row: rows.start,
        end: rows.end,
    };
    Ok(Box::new(until_error(move || {
        guarded(&path, FORMAT, || batches.batch())
    })))
}

struct Batches {
    reader: ParquetRecordBatchReader,
    path: PathBuf,
    order: Vec<usize>,
    next_row: u64,
    end: u64,
}

impl Batches {
    fn batch(&mut self) -> Result<Option<RawBatch>> {
        let batch = match self.reader.next() {
            None if self.next_row < self.end => {
                let missing = format!("the data ends at row {} of {}", self.next_row, self.end);
                return Err(corrupt(&self.path, &missing));
            }
            None => return Ok(None),
            Some(Ok(batch)) => batch,
            Some(Err(error)) => {
                let found = find_invalid_utf8(&self.path, self.next_row).ok().flatten();
                return Err(found.unwrap_or_else(|| unreadable(&self.path, &error)));
            }
        };
        let first_row = self.next_row;
        self.next_row += batch.num_rows() as u64;
        let batch = batch
            .project(&self.order)
            .map_err(|e| unreadable(&self.path, &e))?;
        Ok(Some(RawBatch {
            batch,
            first_row,
            lines: None,
        }))
    }
}

/// A failing disk, or else a damaged file.
fn unreadable(path: &Path, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::system(path, "read", error).unwrap_or_else(|| corrupt(path, &error))
}

fn corrupt(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Corrupt {
        path: path.to_path_buf(),
        format: FORMAT,
        message: format!("{error}; the file may be cut short or damaged"),
    }
}

/// Finds the row of a value that is not UTF-8, which the batch reader does not name. Reads the flat
/// string columns again as bytes, starting at the row group that contains `from`.
fn find_invalid_utf8(
    path: &Path,
    from: u64,
) -> std::result::Result<Option<Error>, parquet::errors::ParquetError> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let mut group_start = 0u64;
    for group in 0..reader.num_row_groups() {
        let group_reader = reader.get_row_group(group)?;
        let rows = group_reader.metadata().num_rows() as u64;
        if group_start.saturating_add(rows) > from {
            for index in 0..group_reader.num_columns() {
                let column = group_reader.metadata().column(index).column_descr_ptr();
                let is_text = column.physical_type() == PhysicalType::BYTE_ARRAY
                    && column.converted_type() == parquet::basic::ConvertedType::UTF8;
                if !is_text || column.max_rep_level() > 0 {
                    continue;
                }
                let reader = group_reader.get_column_reader(index)?;
                if let Some(row) = first_invalid(
                    get_typed_column_reader::<ByteArrayType>(reader),
                    column.max_def_level(),
                )? {
                    return Ok(Some(Error::Utf8 {
                        place: place(path, group_start + row, None),
                        what: format!("column `{}`", column.name()),
                        encoding: "UTF-8",
                    }));
                }
            }
        }
        group_start = group_start.saturating_add(rows);
    }
    Ok(None)
}

fn first_invalid(
    mut reader: parquet::column::reader::ColumnReaderImpl<ByteArrayType>,
    max_level: i16,
) -> std::result::Result<Option<u64>, parquet::errors::ParquetError> {
    let mut row = 0;
    loop {
        let (mut values, mut levels): (Vec<ByteArray>, Vec<i16>) = (Vec::new(), Vec::new());
        let (records, _, _) =
            reader.read_records(BATCH_ROWS, Some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Ok(None);
        }
        let mut values = values.iter();
        for index in 0..records {
            // A definition level below the maximum means null, which has no value.
            let present = max_level == 0 || levels.get(index) == Some(&max_level);
            if present
                && values
                    .next()
                    .is_some_and(|v| std::str::from_utf8(v.data()).is_err())
            {
                return Ok(Some(row));
            }
            row += 1;
        }
    }
}
