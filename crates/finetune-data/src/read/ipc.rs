//! Reads Arrow IPC in its file form (also Feather V2) and its stream form (which `datasets`
//! writes).

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::ops::Range;
use std::path::Path;

use crate::arrow::array::RecordBatch;
use crate::arrow::datatypes::SchemaRef;
use crate::arrow::error::ArrowError;
use crate::arrow::ipc::reader::{FileReader, StreamReader};
use crate::arrow::ipc::{CompressionType, root_as_footer, root_as_message};

use super::{BATCH_ROWS, BatchIter, FileInfo, RawBatch, guarded, until_error};
use crate::read::options::Stop;
use crate::read::positioned::read_exact_at;
use crate::{Error, Result};

const FORMAT: &str = "Arrow IPC";

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Opens a file and returns its schema and batches. A damaged batch ends the iterator.
fn open(path: &Path, projection: Option<Vec<usize>>) -> Result<(SchemaRef, Batches)> {
    let (schema, mut batches) = guarded(path, FORMAT, || unguarded(path, projection))?;
    let path = path.to_path_buf();
    let batches = until_error(move || {
        let next = || batches.next().transpose().map_err(|e| damaged(&path, &e));
        guarded(&path, FORMAT, next)
    });
    Ok((schema, Box::new(batches)))
}

type Unguarded = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

fn unguarded(path: &Path, projection: Option<Vec<usize>>) -> Result<(SchemaRef, Unguarded)> {
    let mut file = File::open(path).map_err(|e| Error::io(path, "open", e))?;
    let mut magic = [0; 6];
    let is_file = file.read_exact(&mut magic).is_ok() && &magic == b"ARROW1";
    file.rewind().map_err(|e| Error::io(path, "read", e))?;
    let input = BufReader::with_capacity(1 << 18, file);
    if is_file {
        let reader = FileReader::try_new(input, projection).map_err(|e| damaged(path, &e))?;
        Ok((reader.schema(), Box::new(reader)))
    } else {
        let reader = StreamReader::try_new(input, projection).map_err(|e| damaged(path, &e))?;
        Ok((reader.schema(), Box::new(reader)))
    }
}

pub(super) fn info(path: &Path, stop: &Stop) -> Result<FileInfo> {
    let rows = guarded(path, FORMAT, || walk(path, stop))?;
    let (schema, _) = open(path, None)?;
    Ok(FileInfo { schema, rows })
}

/// Counts rows from the message headers without reading the bodies, and checks that every message
/// lies within the file and that its claims about its body are possible. The Arrow readers allocate
/// whatever a header claims before they read.
fn walk(path: &Path, stop: &Stop) -> Result<u64> {
    let error = |e| Error::io(path, "read", e);
    let file = File::open(path).map_err(error)?;
    let len = file.metadata().map_err(error)?.len();
    let mut head = [0; 8];
    read_at(&file, path, &mut head, 0)?;
    if &head[..6] == b"ARROW1" {
        return walk_file(path, &file, len, stop);
    }
    let (mut at, mut rows) = (0, 0);
    while at < len {
        stop.check()?;
        let mut word = [0; 4];
        read_at(&file, path, &mut word, at)?;
        at += 4;
        if word == [0xff; 4] {
            read_at(&file, path, &mut word, at)?;
            at += 4;
        }
        let size = u32::from_le_bytes(word);
        if size == 0 {
            return Ok(rows);
        }
        let (count, body) = message(path, &file, at, size.into(), len)?;
        rows = add(path, rows, count)?;
        at = at + u64::from(size) + body;
    }
    Ok(rows)
}

fn walk_file(path: &Path, file: &File, len: u64, stop: &Stop) -> Result<u64> {
    let beyond = || damaged(path, &"a part of it lies beyond the end of the file");
    let mut tail = [0; 10];
    read_at(
        file,
        path,
        &mut tail,
        len.checked_sub(10).ok_or_else(beyond)?,
    )?;
    if &tail[4..] != b"ARROW1" {
        return Err(damaged(path, &"the end mark is missing"));
    }
    let size = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    let start = (len - 10).checked_sub(size).ok_or_else(beyond)?;
    let mut footer = vec![0; size as usize];
    read_at(file, path, &mut footer, start)?;
    let footer = root_as_footer(&footer).map_err(|e| damaged(path, &e))?;
    let mut rows = 0;
    for (blocks, are_rows) in [
        (footer.dictionaries(), false),
        (footer.recordBatches(), true),
    ] {
        for block in blocks.iter().flatten() {
            stop.check()?;
            let part = |value: i64| u64::try_from(value).map_err(|_| beyond());
            let (offset, body) = (part(block.offset())?, part(block.bodyLength())?);
            let header = part(block.metaDataLength().into())?;
            let end = offset
                .checked_add(header)
                .and_then(|end| end.checked_add(body));
            if end.is_none_or(|end| end > len) {
                return Err(beyond());
            }
            // The header starts with its size, preceded by a continuation marker in all but old
            // files.
            let mut head = [0; 8];
            read_at(file, path, &mut head, offset)?;
            let skip = if head[..4] == [0xff; 4] { 8 } else { 4 };
            let size = header.checked_sub(skip).ok_or_else(beyond)?;
            let (count, _) = message(path, file, offset + skip, size, len)?;
            rows = add(path, rows, if are_rows { count } else { 0 })?;
        }
    }
    Ok(rows)
}

/// Returns the number of rows (of a record batch) and the body length of the message whose header
/// starts at `at`.
fn message(path: &Path, file: &File, at: u64, size: u64, len: u64) -> Result<(u64, u64)> {
    let beyond = || damaged(path, &"a part of it lies beyond the end of the file");
    if at.checked_add(size).is_none_or(|end| end > len) {
        return Err(beyond());
    }
    let mut header = vec![0; size as usize];
    read_at(file, path, &mut header, at)?;
    let message = root_as_message(&header).map_err(|e| damaged(path, &e))?;
    let body = u64::try_from(message.bodyLength()).map_err(|_| beyond())?;
    if (at + size).checked_add(body).is_none_or(|end| end > len) {
        return Err(beyond());
    }
    let batch = message.header_as_record_batch();
    let dictionary = message
        .header_as_dictionary_batch()
        .and_then(|dictionary| dictionary.data());
    for batch in batch.iter().chain(&dictionary) {
        check_batch(path, file, at + size, body, batch)?;
    }
    let rows = batch.map_or(0, |batch| batch.length());
    let rows = u64::try_from(rows).map_err(|_| damaged(path, &"a negative number of rows"))?;
    Ok((rows, body))
}

/// A decompressed size up to this is always accepted; a larger one only up to `MOST_PER_BYTE` times
/// the compressed size.
const BELIEVED: u64 = 1 << 30;
const MOST_PER_BYTE: u64 = 1000;
/// Maximum compression ratio of LZ4.
const MOST_PER_BYTE_OF_LZ4: u64 = 255;

/// Checks the sizes that a record batch claims, whose body starts at `at`: its buffers lie within
/// the body, none claims to decompress to more than it can, and there are no more rows than bits.
fn check_batch(
    path: &Path,
    file: &File,
    at: u64,
    body: u64,
    batch: &crate::arrow::ipc::RecordBatch<'_>,
) -> Result<()> {
    let beyond = || damaged(path, &"a part of it lies beyond the end of the file");
    let codec = batch.compression().map(|compression| compression.codec());
    let mut bytes = 0u64;
    for buffer in batch.buffers().iter().flatten() {
        let part = |value: i64| u64::try_from(value).map_err(|_| beyond());
        let (offset, length) = (part(buffer.offset())?, part(buffer.length())?);
        if offset.checked_add(length).is_none_or(|end| end > body) {
            return Err(beyond());
        }
        let mut claimed = length;
        if let Some(codec) = codec
            && length >= 8
        {
            let mut word = [0; 8];
            read_at(file, path, &mut word, at + offset)?;
            // -1 marks a buffer that is not compressed after all; the reader rejects other negative
            // values.
            let word = i64::from_le_bytes(word);
            claimed = u64::try_from(word).unwrap_or(length);
            let most = match codec {
                CompressionType::LZ4_FRAME => length.saturating_mul(MOST_PER_BYTE_OF_LZ4),
                _ => length.saturating_mul(MOST_PER_BYTE).max(BELIEVED),
            };
            if claimed > most {
                let message =
                    format!("a buffer of {length} compressed bytes claims to hold {claimed}");
                return Err(damaged(path, &message));
            }
        }
        bytes = bytes.saturating_add(claimed);
    }
    // Each row takes at least one bit, except where all columns are null.
    let nodes = batch
        .nodes()
        .into_iter()
        .flatten()
        .map(|node| node.length());
    for rows in nodes.chain([batch.length()]) {
        let rows = u64::try_from(rows).map_err(|_| damaged(path, &"a negative number of rows"))?;
        if rows > bytes.saturating_mul(8).max(MOST_ROWS_OF_NULLS) {
            let message = format!("a batch of {bytes} bytes claims to have {rows} rows");
            return Err(damaged(path, &message));
        }
    }
    Ok(())
}

/// Maximum number of rows in a batch without any data.
const MOST_ROWS_OF_NULLS: u64 = 1 << 24;

fn add(path: &Path, rows: u64, more: u64) -> Result<u64> {
    let sum = rows.checked_add(more);
    sum.ok_or_else(|| damaged(path, &"it claims to have more rows than can be counted"))
}

fn read_at(file: &File, path: &Path, buffer: &mut [u8], offset: u64) -> Result<()> {
    read_exact_at(file, buffer, offset).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => damaged(path, &"it ends too early"),
        _ => Error::io(path, "read", e),
    })
}

fn damaged(path: &Path, message: &dyn std::fmt::Display) -> Error {
    Error::Corrupt {
        path: path.to_path_buf(),
        format: FORMAT,
        message: format!("{message}; the file may be cut short or damaged"),
    }
}

pub(super) fn read(path: &Path, columns: &[usize], rows: Range<u64>) -> Result<BatchIter> {
    let (_, batches) = open(path, Some(columns.to_vec()))?;
    let mut next_row = 0;
    let selected = batches.map(move |batch| {
        let batch = batch?;
        let first_row = next_row;
        next_row += batch.num_rows() as u64;
        let start = rows.start.clamp(first_row, next_row);
        let end = rows.end.clamp(start, next_row);
        Ok((
            start,
            batch.slice((start - first_row) as usize, (end - start) as usize),
        ))
    });
    // Batches in the file can be huge; slicing them costs nothing and keeps later stages small.
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
