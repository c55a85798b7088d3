//! Arrow IPC, in its file form (also Feather V2) and its stream form (what `datasets` writes).

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::ops::Range;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};

use super::{BATCH_ROWS, BatchIter, FileInfo, RawBatch};
use crate::{Error, Result};

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

fn open(path: &Path, projection: Option<Vec<usize>>) -> Result<(SchemaRef, Batches)> {
    let mut file = File::open(path).map_err(|e| Error::io(path, "open", e))?;
    let mut magic = [0; 6];
    let is_file = file.read_exact(&mut magic).is_ok() && &magic == b"ARROW1";
    file.rewind().map_err(|e| Error::io(path, "read", e))?;
    let input = BufReader::with_capacity(1 << 18, file);
    if is_file {
        let reader = FileReader::try_new(input, projection).map_err(|e| corrupt(path, &e))?;
        Ok((reader.schema(), Box::new(reader)))
    } else {
        let reader = StreamReader::try_new(input, projection).map_err(|e| corrupt(path, &e))?;
        Ok((reader.schema(), Box::new(reader)))
    }
}

pub(super) fn info(path: &Path) -> Result<FileInfo> {
    let (schema, _) = open(path, None)?;
    // Without columns the batches carry their row counts alone.
    let (_, batches) = open(path, Some(Vec::new()))?;
    let mut rows = 0;
    for batch in batches {
        rows += batch.map_err(|e| corrupt(path, &e))?.num_rows() as u64;
    }
    Ok(FileInfo { schema, rows })
}

pub(super) fn read(path: &Path, columns: &[usize], rows: Range<u64>) -> Result<BatchIter> {
    let (_, batches) = open(path, Some(columns.to_vec()))?;
    let path = path.to_path_buf();
    let mut next_row = 0;
    let selected = batches.map(move |batch| {
        let batch = batch.map_err(|e| corrupt(&path, &e))?;
        let first_row = next_row;
        next_row += batch.num_rows() as u64;
        let start = rows.start.clamp(first_row, next_row);
        let end = rows.end.clamp(start, next_row);
        Ok((
            start,
            batch.slice((start - first_row) as usize, (end - start) as usize),
        ))
    });
    // Written batches can be huge; slices of them cost nothing and keep what follows small.
    Ok(Box::new(selected.flat_map(
        |item| -> Box<dyn Iterator<Item = _> + Send> {
            match item {
                Err(e) => Box::new(std::iter::once(Err(e))),
                Ok((start, batch)) => Box::new((0..batch.num_rows()).step_by(BATCH_ROWS).map(
                    move |offset| {
                        let rows = BATCH_ROWS.min(batch.num_rows() - offset);
                        Ok(RawBatch {
                            batch: batch.slice(offset, rows),
                            first_row: start + offset as u64,
                            lines: None,
                        })
                    },
                )),
            }
        },
    )))
}

fn corrupt(path: &Path, error: &ArrowError) -> Error {
    Error::Corrupt {
        path: path.to_path_buf(),
        format: "Arrow IPC",
        message: format!("{error}; the file may be cut short or damaged"),
    }
}
