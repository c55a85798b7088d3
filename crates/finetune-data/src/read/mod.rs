//! Reads one file as a stream of Arrow record batches.

pub(crate) mod class_folders;
mod class_numbers;
mod csv;
pub(crate) mod csv_options;
mod dialect;
mod encoding;
mod fasttext;
#[cfg(feature = "parquet")]
pub(crate) mod hf_features;
pub(crate) mod hf_metadata;
pub(crate) mod input;
#[cfg(feature = "ipc")]
mod ipc;
mod json_records;
mod jsonl;
pub(crate) mod lines;
pub(crate) mod options;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
pub(crate) mod parquet_sink;
pub(crate) mod positioned;
pub(crate) mod regular_file;
mod text;
pub(crate) mod typed;

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::arrow::array::RecordBatch;
use crate::arrow::datatypes::{FieldRef, SchemaRef};
use sha2::{Digest as _, Sha256};

use self::class_folders::ClassFile;
use self::class_numbers::{ClassNumbers, numbered};
use self::csv::Csv;
use self::dialect::Dialect;
use self::input::{Coding, Compression};
use crate::error::Place;
use crate::read::csv_options::CsvEncoding;
use crate::read::options::{CsvHeader, ReadOptions, TextRows};
use crate::read::regular_file::regular_file;
use crate::{Error, Note, Result};

/// Maximum number of rows per record batch: small enough that long documents do not pile up, large
/// enough to keep the columnar readers efficient.
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
    ClassFolders,
}

impl Format {
    /// The extensions that [`Format::of`] recognises, for error messages.
    pub(crate) const EXTENSIONS: &str = ".parquet, .arrow, .feather, .ipc, .csv, .tsv, .jsonl, .ndjson, .json, .txt (the last six also with .gz or .zst behind)";

    pub(crate) fn of(path: &Path) -> Option<Self> {
        let (name, _) = uncompressed(path);
        let extension = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
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

    /// Returns a file's name without its directory, extension and compression extension.
    pub(crate) fn stem(path: &Path) -> String {
        let stem = Path::new(uncompressed(path).0).file_stem();
        let stem = stem.and_then(|stem| stem.to_str());
        stem.unwrap_or_default().to_owned()
    }
}

/// Splits off a file's compression extension and returns the rest of the name and the compression.
fn uncompressed(path: &Path) -> (&str, Option<Compression>) {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or_default();
    let outer = name.rsplit_once('.');
    match outer.map(|(inner, outer)| (inner, Compression::of_extension(outer))) {
        Some((inner, Some(compression))) => (inner, Some(compression)),
        _ => (name, None),
    }
}

/// Returns whether the file holds lines of text without columns, judging by its name (`.txt`,
/// possibly compressed).
pub fn is_text_file(path: &Path) -> bool {
    Format::of(path) == Some(Format::Text)
}

/// The columns and row count of a file, as found on its first inspection.
#[derive(Debug)]
pub(crate) struct FileInfo {
    pub(crate) schema: SchemaRef,
    pub(crate) rows: u64,
}

/// A run of consecutive rows of one file.
pub(crate) struct RawBatch {
    pub(crate) batch: RecordBatch,
    /// Row of the file at which the batch starts.
    pub(crate) first_row: u64,
    /// Line of each row, for formats that have lines.
    pub(crate) lines: Option<Vec<u64>>,
}

pub(crate) type BatchIter = Box<dyn Iterator<Item = Result<RawBatch>> + Send>;

/// Yields the results of `next` up to the end or the first error, and nothing after that.
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

/// A file of a split. It is inspected and hashed once each, when first needed.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: Arc<Path>,
    pub(crate) format: Format,
    /// The features that the data set's metadata gives for a file that does not carry them itself.
    features: Option<Arc<str>>,
    options: ReadOptions,
    /// The texts in a directory that has one folder per class; empty for other formats.
    texts: Arc<[ClassFile]>,
    looked: OnceLock<Looked>,
    hash: OnceLock<[u8; 32]>,
}

/// The result of the first inspection.
#[derive(Debug)]
struct Looked {
    info: FileInfo,
    reading: Reading,
    classes: ClassNumbers,
    notes: Vec<Note>,
}

/// How a text file is read, either as specified by the caller or as detected.
#[derive(Clone, Copy, Default)]
struct Reading {
    coding: Coding,
    dialect: Option<Dialect>,
    fasttext: bool,
    /// Whether rows are documents of several lines.
    documents: bool,
}

/// Identifies the tokens in caches, so it shows `documents`, which was added later, only where it is set.
impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Reading");
        shown
            .field("coding", &self.coding)
            .field("dialect", &self.dialect)
            .field("fasttext", &self.fasttext);
        if self.documents {
            shown.field("documents", &true);
        }
        shown.finish()
    }
}

impl SourceFile {
    pub(crate) fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let metadata = regular_file(path)?;
        let format = Format::of(path).ok_or_else(|| Error::UnknownFormat {
            path: path.to_path_buf(),
            expected: Format::EXTENSIONS.to_owned() + other_program(path),
        })?;
        if metadata.len() == 0 {
            return Err(Error::EmptyFile {
                path: path.to_path_buf(),
            });
        }
        if let (Format::Parquet | Format::Ipc, Some(compression)) = (format, uncompressed(path).1) {
            return Err(Error::Corrupt {
                path: path.to_path_buf(),
                format: "Parquet or Arrow IPC",
                message: format!(
                    "such a file is not read inside {}; unpack it with {}",
                    compression.name(),
                    compression.program()
                ),
            });
        }
        Ok(Self {
            path: path.into(),
            format,
            features: None,
            options: options.clone(),
            texts: Arc::default(),
            looked: OnceLock::new(),
            hash: OnceLock::new(),
        })
    }

    pub(crate) fn with_features(self, features: Option<Arc<str>>) -> Self {
        Self { features, ..self }
    }

    /// Describes the texts in a directory that has one folder per class.
    pub(crate) fn class_folders(path: &Path, texts: Vec<ClassFile>, options: &ReadOptions) -> Self {
        Self {
            path: path.into(),
            format: Format::ClassFolders,
            options: options.clone(),
            features: None,
            texts: texts.into(),
            looked: OnceLock::new(),
            hash: OnceLock::new(),
        }
    }

    /// Returns the options by which the file is read.
    pub(crate) fn options(&self) -> &ReadOptions {
        &self.options
    }

    /// Returns the file's length in bytes, or the total length of all its texts.
    pub(crate) fn bytes(&self) -> Result<u64> {
        let len = |path: &Path| {
            let metadata = std::fs::metadata(path);
            Ok(metadata.map_err(|e| Error::io(path, "read", e))?.len())
        };
        match self.format {
            Format::ClassFolders => self.texts.iter().map(|text| len(&text.path)).sum(),
            _ => len(&self.path),
        }
    }

    /// Returns the encoding that the caller specified, or UTF-8.
    fn named_encoding(&self) -> &'static encoding_rs::Encoding {
        let named = self.options.csv.encoding;
        named.map_or(encoding_rs::UTF_8, |CsvEncoding(encoding)| encoding)
    }

    /// Returns the columns and the row count. Line-based formats are checked from end to end here.
    pub(crate) fn info(&self) -> Result<&FileInfo> {
        Ok(&self.look()?.info)
    }

    /// Returns what was detected about the file and is worth showing; empty before
    /// [`info`](Self::info).
    pub(crate) fn notes(&self) -> &[Note] {
        self.looked.get().map_or(&[], |looked| &looked.notes)
    }

    fn look(&self) -> Result<&Looked> {
        if let Some(looked) = self.looked.get() {
            return Ok(looked);
        }
        let mut looked = match self.format {
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                Looked::binary(parquet::info(&self.path).map_err(|e| self.what_it_is(e))?)
            }
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => return Err(self.disabled("Parquet", "parquet")),
            #[cfg(feature = "ipc")]
            Format::Ipc => Looked::binary(
                ipc::info(&self.path, &self.options.stop).map_err(|e| self.what_it_is(e))?,
            ),
            #[cfg(not(feature = "ipc"))]
            Format::Ipc => return Err(self.disabled("Arrow IPC", "ipc")),
            Format::ClassFolders => {
                let (encoding, stop) = (self.named_encoding(), &self.options.stop);
                let mut looked = Looked::binary(class_folders::info(&self.texts, encoding, stop)?);
                looked.reading.coding.encoding = encoding;
                looked
            }
            Format::Csv | Format::Tsv | Format::JsonLines | Format::Text => self.look_at_text()?,
        };
        if let Some(features) = &self.features
            && !looked.info.schema.metadata().contains_key(hf_metadata::KEY)
        {
            let mut schema = looked.info.schema.as_ref().clone();
            let features = features.to_string();
            schema.metadata.insert(hf_metadata::KEY.into(), features);
            looked.classes = ClassNumbers::of(&mut schema, &mut looked.notes);
            looked.info.schema = schema.into();
        }
        Ok(self.looked.get_or_init(|| looked))
    }

    /// Replaces a binary reader's error with what the file actually is, if that can be told.
    #[cfg(any(feature = "parquet", feature = "ipc"))]
    fn what_it_is(&self, error: Error) -> Error {
        match (error, encoding::not_binary(&self.path, &self.options.stop)) {
            (Error::Corrupt { path, format, .. }, Some(what)) => Error::Corrupt {
                path,
                format,
                message: what.to_owned(),
            },
            (error, _) => error,
        }
    }

    /// Detects how a text file is written and reads it from end to end. An encoding or escape that
    /// only shows in the whole file is tried when the usual one fails.
    fn look_at_text(&self) -> Result<Looked> {
        let path = &self.path;
        let Self { options, .. } = self;
        let mut notes = Vec::new();
        let named = match (self.format, options.csv.encoding) {
            // JSON is always Unicode.
            (Format::JsonLines, _) | (_, None) => None,
            (_, Some(CsvEncoding(encoding))) => Some(encoding),
        };
        let compression = uncompressed(path).1;
        let coding = encoding::recognise(path, compression, named, options, &mut notes)?;
        let reading = self.recognise(coding, &mut notes)?;
        let error = match self.whole(reading, &mut notes) {
            Ok(info) => {
                return Ok(Looked {
                    info,
                    reading,
                    classes: ClassNumbers::default(),
                    notes,
                });
            }
            Err(error) => error,
        };
        if matches!(error, Error::Utf8 { .. })
            && named.is_none()
            && self.format != Format::JsonLines
            && coding.encoding == encoding_rs::UTF_8
            && let Some(guess) = encoding::guess(path, &coding, &options.stop)?
        {
            let encoding::Guess {
                encoding,
                line,
                word,
            } = guess;
            notes.push(Note::new(format!(
                "{}, line {line}: not UTF-8; read as {}, guessed from the bytes of the whole file, by which a word here is {word:?}; --csv-encoding names another",
                path.display(),
                encoding.name()
            )));
            let coding = Coding { encoding, ..coding };
            let reading = self.recognise(coding, &mut Vec::new())?;
            let info = self.whole(reading, &mut notes)?;
            return Ok(Looked {
                info,
                reading,
                classes: ClassNumbers::default(),
                notes,
            });
        }
        if let Error::BrokenQuote { opened, .. } = error
            && options.csv.escape.is_none()
            && let Some(dialect) = reading.dialect
        {
            let backslash = Dialect {
                backslash: true,
                ..dialect
            };
            let reading = Reading {
                dialect: Some(backslash),
                ..reading
            };
            let mut more = Vec::new();
            if let Ok(info) = self.whole(reading, &mut more) {
                notes.push(Note::new(format!(
                    "{}, line {opened}: a backslash before a quote inside quotes is taken to escape it, because otherwise the quotes do not match; --csv-escape backslash says that it does",
                    path.display()
                )));
                notes.append(&mut more);
                return Ok(Looked {
                    info,
                    reading,
                    classes: ClassNumbers::default(),
                    notes,
                });
            }
        }
        Err(error)
    }

    /// Detects from the start of a file how its text is to be read.
    fn recognise(&self, coding: Coding, notes: &mut Vec<Note>) -> Result<Reading> {
        let mut reading = Reading {
            coding,
            ..Reading::default()
        };
        let delimiter = match self.format {
            Format::Csv => b',',
            Format::Tsv => b'\t',
            Format::Text => {
                let start = encoding::prefix(&self.path, &coding, &self.options.stop, 256)?;
                reading.fasttext = fasttext::is_fasttext(&start);
                reading.documents = !reading.fasttext && self.has_documents(&coding, notes)?;
                return Ok(reading);
            }
            _ => return Ok(reading),
        };
        let csv = &self.options.csv;
        let start = encoding::prefix(&self.path, &coding, &self.options.stop, SNIFFED)?;
        let whole = start.len() < SNIFFED;
        let dialect = Dialect::recognise(&self.path, &start, whole, csv, delimiter, notes);
        reading.dialect = Some(dialect);
        Ok(reading)
    }

    /// Returns whether the rows of a text file are documents of several lines.
    fn has_documents(&self, coding: &Coding, notes: &mut Vec<Note>) -> Result<bool> {
        let (path, options) = (&self.path, &self.options);
        match options.text_rows {
            TextRows::Lines => Ok(false),
            TextRows::Documents => Ok(true),
            TextRows::Detected => {
                let blank = text::blank_line(path, coding, &options.stop)?;
                if let Some(line) = blank {
                    notes.push(Note::new(format!(
                        "{}: blank lines, such as line {line}, separate its texts; --line-by-line makes each line a text",
                        path.display()
                    )));
                }
                Ok(blank.is_some())
            }
        }
    }

    /// Reads a text file from end to end.
    fn whole(&self, reading: Reading, notes: &mut Vec<Note>) -> Result<FileInfo> {
        let (path, stop, coding) = (&self.path, &self.options.stop, &reading.coding);
        match (self.format, reading.dialect) {
            (_, Some(_)) => self.csv(reading).info(notes),
            (Format::JsonLines, _) => jsonl::info(path, coding, stop),
            _ if reading.fasttext => fasttext::info(path, coding, stop, notes),
            _ => text::info(path, coding, stop, reading.documents),
        }
    }

    fn csv(&self, reading: Reading) -> Csv<'_> {
        let usual = || Dialect::new(&self.options.csv, b',');
        Csv {
            path: &self.path,
            coding: reading.coding,
            dialect: reading.dialect.unwrap_or_else(usual),
            header: &self.options.csv_header,
            stop: &self.options.stop,
        }
    }

    /// Streams `rows` of the columns with these indices, in the order of the indices.
    pub(crate) fn read(&self, columns: &[usize], rows: Range<u64>) -> Result<BatchIter> {
        let Looked {
            info,
            reading,
            classes,
            ..
        } = self.look()?;
        let fields: Vec<FieldRef> = columns
            .iter()
            .map(|&c| classes.as_read(c, &info.schema.fields()[c]))
            .collect();
        let (path, stop, coding) = (&self.path, &self.options.stop, &reading.coding);
        let mut batches = match self.format {
            #[cfg(feature = "parquet")]
            Format::Parquet => parquet::read(path, columns, rows)?,
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => return Err(self.disabled("Parquet", "parquet")),
            #[cfg(feature = "ipc")]
            Format::Ipc => ipc::read(path, columns, rows)?,
            #[cfg(not(feature = "ipc"))]
            Format::Ipc => return Err(self.disabled("Arrow IPC", "ipc")),
            Format::ClassFolders => {
                class_folders::read(&self.texts, self.named_encoding(), fields, rows)?
            }
            Format::Csv | Format::Tsv => self.csv(*reading).read(columns, fields, rows)?,
            Format::JsonLines => jsonl::read(path, coding, stop, fields, rows)?,
            Format::Text if reading.fasttext => fasttext::read(path, coding, stop, fields, rows)?,
            Format::Text => text::read(path, coding, stop, reading.documents, fields, rows)?,
        };
        let (path, stop) = (Arc::clone(path), stop.clone());
        let names = classes.among(columns);
        Ok(Box::new(until_error(move || {
            stop.check()?;
            let batch = batches.next().transpose()?;
            match (batch, &names) {
                (Some(batch), Some(names)) => numbered(&path, batch, names).map(Some),
                (batch, _) => Ok(batch),
            }
        })))
    }

    /// Describes everything beside the file's bytes that decides its rows: the format and how it is
    /// read.
    pub(crate) fn reading(&self) -> Result<String> {
        let Looked {
            reading, classes, ..
        } = self.look()?;
        let header = match self.options.csv_header {
            CsvHeader::FirstLine => String::new(),
            ref other => format!(" {other:?}"),
        };
        let classes = match classes.among_all() {
            [] => String::new(),
            classes => format!(" {classes:?}"),
        };
        Ok(format!("{:?} {reading:?}{header}{classes}", self.format))
    }

    /// Computes the SHA-256 of the bytes of the file.
    pub(crate) fn content_hash(&self) -> Result<[u8; 32]> {
        if let Some(hash) = self.hash.get() {
            return Ok(*hash);
        }
        if self.format == Format::ClassFolders {
            let hash = class_folders::hash(&self.texts, &self.options.stop)?;
            return Ok(*self.hash.get_or_init(|| hash));
        }
        let error = |e| Error::io(&self.path, "read", e);
        let mut file = File::open(&self.path).map_err(error)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            self.options.stop.check()?;
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

impl Looked {
    /// Wraps the inspection of a file whose format says how it is read.
    fn binary(info: FileInfo) -> Self {
        Self {
            info,
            reading: Reading::default(),
            classes: ClassNumbers::default(),
            notes: Vec::new(),
        }
    }
}

/// Returns advice for a file that another program wrote.
fn other_program(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    match extension.to_ascii_lowercase().as_str() {
        "xlsx" | "xls" | "xlsm" | "ods" | "numbers" => "; save the sheet as CSV",
        "pkl" | "pickle" | "orc" | "h5" | "hdf5" | "dta" | "sav" | "rds" => {
            "; df.to_parquet(path) of pandas writes Parquet"
        }
        "zip" | "tar" | "7z" | "rar" | "tgz" => "; unpack it",
        _ => "",
    }
}

/// Bytes of text from which a CSV dialect is detected.
const SNIFFED: usize = 1 << 16;

/// Returns the place of a row in a file.
#[cfg_attr(not(feature = "parquet"), allow(dead_code))]
pub(crate) fn place(path: &Path, row: u64, line: Option<u64>) -> Place {
    Place {
        file: path.into(),
        row,
        line,
    }
}

pub(crate) use jsonl::mixed_numbers;
/// Metadata key that marks a field whose strings are JSON: see
/// [`Split::rows_with_texts`](crate::Split::rows_with_texts).
pub const JSON_TEXT: &str = "finetune:json";

/// Returns why the JSON lines reader cannot provide a column, or `None` if it can.
pub(crate) fn unreadable(field: &crate::arrow::datatypes::Field) -> Option<&String> {
    field.metadata().get(jsonl::UNREADABLE)
}

/// Returns the field itself, or a field of JSON strings in place of one that cannot be read.
pub(crate) fn json_text(field: &FieldRef) -> FieldRef {
    jsonl::json_text(field)
}

/// Returns whether the JSON lines reader cannot provide this column (nested or of mixed types).
pub(crate) fn jsonl_unreadable(field: &crate::arrow::datatypes::Field) -> bool {
    field.metadata().contains_key(jsonl::UNREADABLE)
}

/// Runs a step of a binary reader. The Arrow and Parquet crates validate what they read, but some
/// damaged bytes still make them panic; that is reported as a damaged file, not as a bug.
#[cfg(any(feature = "parquet", feature = "ipc"))]
pub(crate) fn guarded<T>(
    path: &Path,
    format: &'static str,
    step: impl FnOnce() -> Result<T>,
) -> Result<T> {
    crate::tokens::caught::catching(step).unwrap_or_else(|_| {
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
