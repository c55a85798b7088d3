//! Reads a directory with one folder per class and one text per file: `pos/1.txt`, `neg/1.txt`.

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use crate::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use encoding_rs::{Encoding, UTF_8};
use sha2::{Digest as _, Sha256};

use super::lines::MAX_RECORD_BYTES;
use super::{BATCH_BYTES, BATCH_ROWS, BatchIter, FileInfo, RawBatch, until_error};
use crate::read::options::Stop;
use crate::{Error, Place, Result};

/// A text file and the name of its folder.
#[derive(Clone, Debug)]
pub(crate) struct ClassFile {
    pub(crate) path: PathBuf,
    pub(crate) class: String,
}

/// Reads every file once, so that unreadable ones are found early.
pub(super) fn info(
    files: &[ClassFile],
    encoding: &'static Encoding,
    stop: &Stop,
) -> Result<FileInfo> {
    for file in files {
        stop.check()?;
        text(file, encoding)?;
    }
    let fields = vec![
        Field::new("text", DataType::Utf8, false),
        Field::new("label", DataType::Utf8, false),
    ];
    Ok(FileInfo {
        schema: Arc::new(Schema::new(fields)),
        rows: files.len() as u64,
    })
}

pub(super) fn read(
    files: &Arc<[ClassFile]>,
    encoding: &'static Encoding,
    fields: Vec<FieldRef>,
    rows: Range<u64>,
) -> Result<BatchIter> {
    let files = Arc::clone(files);
    let schema = Arc::new(Schema::new(fields));
    let mut next = rows.start as usize;
    let end = (rows.end as usize).min(files.len());
    Ok(Box::new(until_error(move || {
        let first_row = next as u64;
        let (mut texts, mut classes) = (StringBuilder::new(), StringBuilder::new());
        let (mut count, mut bytes) = (0, 0);
        while next < end && count < BATCH_ROWS && bytes < BATCH_BYTES {
            let text = text(&files[next], encoding)?;
            bytes += text.len();
            texts.append_value(text);
            classes.append_value(&files[next].class);
            count += 1;
            next += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let (texts, classes): (ArrayRef, ArrayRef) =
            (Arc::new(texts.finish()), Arc::new(classes.finish()));
        let column = |field: &FieldRef| match field.name().as_str() {
            "text" => Arc::clone(&texts),
            _ => Arc::clone(&classes),
        };
        let columns = schema.fields().iter().map(column).collect();
        let batch = RecordBatch::try_new(schema.clone(), columns).map_err(|e| Error::Arrow {
            context: "reading texts".to_owned(),
            message: e.to_string(),
        })?;
        Ok(Some(RawBatch {
            batch,
            first_row,
            lines: None,
        }))
    })))
}

/// Computes the SHA-256 of the classes and contents of the files, in order.
pub(super) fn hash(files: &[ClassFile], stop: &Stop) -> Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    for file in files {
        stop.check()?;
        hasher.update(Sha256::digest(file.class.as_bytes()));
        hasher.update(Sha256::digest(bytes(file)?));
    }
    Ok(hasher.finalize().into())
}

fn text(file: &ClassFile, encoding: &'static Encoding) -> Result<String> {
    let bytes = bytes(file)?;
    let bytes = match encoding == UTF_8 {
        true => bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes),
        false => &bytes,
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    text.map(|text| text.into_owned())
        .ok_or_else(|| Error::Utf8 {
            place: Place {
                file: file.path.as_path().into(),
                row: 0,
                line: None,
            },
            what: "the text".to_owned(),
            encoding: encoding.name(),
        })
}

fn bytes(file: &ClassFile) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(&file.path)
        .map_err(|e| Error::io(&file.path, "open", e))?
        .take(MAX_RECORD_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::io(&file.path, "read", e))?;
    match bytes.len() > MAX_RECORD_BYTES {
        false => Ok(bytes),
        true => Err(Error::Corrupt {
            path: file.path.clone(),
            format: "text",
            message: format!("it is longer than {} MiB", MAX_RECORD_BYTES >> 20),
        }),
    }
}
