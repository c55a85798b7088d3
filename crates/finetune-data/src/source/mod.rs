//! One file, read as a stream of Arrow record batches.

mod csv;
#[cfg(feature = "ipc")]
mod ipc;
mod jsonl;
pub(crate) mod lines;
#[cfg(feature = "parquet")]
mod parquet;
mod text;

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, SchemaRef};
use sha2::{Digest as _, Sha256};

use crate::error::Place;
use crate::hf_metadata;
use crate::{Error, Result};

/// Rows per record batch, at most: few enough that long documents stay small, enough to keep the
/// columnar readers efficient.
pub(crate) const BATCH_ROWS: usize = 1024;
/// Bytes of text after which the line-based readers close a batch early.
pub(crate) const BATCH_BYTES: usize = 4 << 20;

/// A file format, chosen by extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Parquet,
    Ipc,
    Csv,
    Tsv,
    JsonLines,
    Text,
}

impl Format {
    /// The extensions of [`Format::of`], for messages.
    pub(crate) const EXTENSIONS: &str =
        ".parquet, .arrow, .feather, .ipc, .csv, .tsv, .jsonl, .ndjson, .json, .txt";

    pub(crate) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "parquet" => Format::Parquet,
            "arrow" | "feather" | "ipc" => Format::Ipc,
            "csv" => Format::Csv,
            "tsv" => Format::Tsv,
            "jsonl" | "ndjson" | "json" => Format::JsonLines,
            "txt" => Format::Text,
            _ => return None,
        })
    }
}

/// What a first look at a file tells: its columns and its number of rows.
#[derive(Debug)]
pub(crate) struct FileInfo {
    pub(crate) schema: SchemaRef,
    pub(crate) rows: u64,
}

/// A run of consecutive rows of one file.
pub(crate) struct RawBatch {
    pub(crate) batch: RecordBatch,
    /// Row of the file that the batch starts with.
    pub(crate) first_row: u64,
    /// Line of each row, for formats that have lines.
    pub(crate) lines: Option<Vec<u64>>,
}

pub(crate) type BatchIter = Box<dyn Iterator<Item = Result<RawBatch>> + Send>;

/// What `next` gives, up to the end or the first error, and nothing after it.
pub(crate) fn until_error<T>(
    mut next: impl FnMut() -> Result<Option<T>>,
) -> impl Iterator<Item = Result<T>> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let item = next().transpose();
        done = !matches!(item, Some(Ok(_)));
        item
    })
}

/// A file of a split. Looking into it and hashing it happen once, when first needed.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: Arc<Path>,
    pub(crate) format: Format,
    /// What `datasets` would say of its columns, for a file that does not say it itself.
    features: Option<Arc<str>>,
    info: OnceLock<FileInfo>,
    hash: OnceLock<[u8; 32]>,
}

impl SourceFile {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let format = Format::of(path).ok_or_else(|| Error::UnknownFormat {
            path: path.to_path_buf(),
            expected: Format::EXTENSIONS.to_owned(),
        })?;
        let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, "read", e))?;
        if metadata.len() == 0 {
            return Err(Error::EmptyFile {
                path: path.to_path_buf(),
            });
        }
        Ok(Self {
            path: path.into(),
            format,
            features: None,
            info: OnceLock::new(),
            hash: OnceLock::new(),
        })
    }

    pub(crate) fn with_features(self, features: Option<Arc<str>>) -> Self {
        Self { features, ..self }
    }

    /// Columns and row count. Line-based formats are checked from end to end here.
    pub(crate) fn info(&self) -> Result<&FileInfo> {
        if let Some(info) = self.info.get() {
            return Ok(info);
        }
        let mut info = match self.format {
            #[cfg(feature = "parquet")]
            Format::Parquet => parquet::info(&self.path)?,
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => return Err(self.disabled("Parquet", "parquet")),
            #[cfg(feature = "ipc")]
            Format::Ipc => ipc::info(&self.path)?,
            #[cfg(not(feature = "ipc"))]
            Format::Ipc => return Err(self.disabled("Arrow IPC", "ipc")),
            Format::Csv => csv::info(&self.path, b',')?,
            Format::Tsv => csv::info(&self.path, b'\t')?,
            Format::JsonLines => jsonl::info(&self.path)?,
            Format::Text => text::info(&self.path)?,
        };
        if let Some(features) = &self.features
            && !info.schema.metadata().contains_key(hf_metadata::KEY)
        {
            let mut schema = info.schema.as_ref().clone();
            let features = features.to_string();
            schema.metadata.insert(hf_metadata::KEY.into(), features);
            info.schema = schema.into();
        }
        Ok(self.info.get_or_init(|| info))
    }

    /// Streams `rows` of the columns with these indices, in the order of the indices.
    pub(crate) fn read(&self, columns: &[usize], rows: Range<u64>) -> Result<BatchIter> {
        let info = self.info()?;
        let fields: Vec<FieldRef> = columns
            .iter()
            .map(|&c| Arc::clone(&info.schema.fields()[c]))
            .collect();
        match self.format {
            #[cfg(feature = "parquet")]
            Format::Parquet => parquet::read(&self.path, columns, rows),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => Err(self.disabled("Parquet", "parquet")),
            #[cfg(feature = "ipc")]
            Format::Ipc => ipc::read(&self.path, columns, rows),
            #[cfg(not(feature = "ipc"))]
            Format::Ipc => Err(self.disabled("Arrow IPC", "ipc")),
            Format::Csv => csv::read(&self.path, b',', columns, fields, rows),
            Format::Tsv => csv::read(&self.path, b'\t', columns, fields, rows),
            Format::JsonLines => jsonl::read(&self.path, fields, rows),
            Format::Text => text::read(&self.path, fields, rows),
        }
    }

    /// SHA-256 of the bytes of the file.
    pub(crate) fn content_hash(&self) -> Result<[u8; 32]> {
        if let Some(hash) = self.hash.get() {
            return Ok(*hash);
        }
        let error = |e| Error::io(&self.path, "read", e);
        let mut file = File::open(&self.path).map_err(error)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => hasher.update(&buffer[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(error(e)),
            }
        }
        Ok(*self.hash.get_or_init(|| hasher.finalize().into()))
    }

    #[cfg(not(all(feature = "parquet", feature = "ipc")))]
    fn disabled(&self, format: &'static str, feature: &'static str) -> Error {
        Error::FormatDisabled {
            path: self.path.to_path_buf(),
            format,
            feature,
        }
    }
}

/// A place in a file without lines.
#[cfg_attr(not(feature = "parquet"), allow(dead_code))]
pub(crate) fn place(path: &Path, row: u64, line: Option<u64>) -> Place {
    Place {
        file: path.into(),
        row,
        line,
    }
}

pub(crate) use jsonl::mixed_numbers;
/// Key of the metadata of a field whose strings are JSON: see
/// [`Split::rows_with_texts`](crate::Split::rows_with_texts).
pub const JSON_TEXT: &str = "finetune:json";

/// The reason why the JSON lines reader cannot give a column, where it cannot.
pub(crate) fn unreadable(field: &arrow::datatypes::Field) -> Option<&String> {
    field.metadata().get(jsonl::UNREADABLE)
}

/// The field itself, or for one that cannot be read one of strings of JSON.
pub(crate) fn json_text(field: &FieldRef) -> FieldRef {
    jsonl::json_text(field)
}

/// Is this a column that the JSON lines reader cannot give (nested, or of mixed types)?
pub(crate) fn jsonl_unreadable(field: &arrow::datatypes::Field) -> bool {
    field.metadata().contains_key(jsonl::UNREADABLE)
}

/// Runs a step of a binary reader. The Arrow and Parquet crates check what they read, but some damaged
/// bytes still make them panic; that is a damaged file, not a broken program.
#[cfg(any(feature = "parquet", feature = "ipc"))]
pub(crate) fn guarded<T>(
    path: &Path,
    format: &'static str,
    step: impl FnOnce() -> Result<T>,
) -> Result<T> {
    crate::caught::catching(step).unwrap_or_else(|_| {
        Err(Error::Corrupt {
            path: path.to_path_buf(),
            format,
            message: "its contents contradict themselves; the file may be damaged".to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_an_error() {
        let mut calls = 0;
        let items: Vec<_> = until_error(|| {
            calls += 1;
            match calls {
                3 => Err(Error::Stopped),
                n => Ok(Some(n)),
            }
        })
        .take(9)
        .map(Result::ok)
        .collect();
        assert_eq!((items, calls), (vec![Some(1), Some(2), None], 3));
        let mut calls = 0;
        let mut ended = until_error(|| {
            calls += 1;
            Ok(None::<()>)
        });
        assert!(ended.next().is_none() && ended.next().is_none());
        drop(ended);
        assert_eq!(calls, 1);
    }
}
