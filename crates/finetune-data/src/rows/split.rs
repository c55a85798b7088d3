//! Selections of rows, and the streams that read them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::arrow::array::{BooleanArray, RecordBatch};
use crate::arrow::compute::filter_record_batch;
use crate::arrow::datatypes::SchemaRef;
use sha2::{Digest as _, Sha256};

use crate::batch::permutation::Permutation;
use crate::error::Place;
use crate::read::{BatchIter, RawBatch, SourceFile, jsonl_unreadable, unreadable};
use crate::rows::column::describe;
use crate::rows::dataset::Series;
use crate::rows::row_set::RowSet;
use crate::tokens::tokenized::hex;
use crate::{Error, ReadOptions, Result};

/// Rows selected from the files of a data set, in the order of the files. Cloning is cheap: a split
/// holds the files and the selection, not the rows.
#[derive(Clone, Debug)]
pub struct Split {
    name: String,
    parts: Arc<[Part]>,
    schema: SchemaRef,
    len: u64,
}

/// A selection from one series of files. A sum of split expressions has several parts.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) series: Arc<Series>,
    pub(crate) rows: RowSet,
}

/// A record batch of selected rows, with the place of each.
#[derive(Clone, Debug)]
pub struct RowBatch {
    /// The rows.
    pub batch: RecordBatch,
    file: Arc<Path>,
    file_index: u32,
    rows: Vec<u64>,
    lines: Option<Vec<u64>>,
}

impl RowBatch {
    /// Returns the place of row `index` of this batch, or `None` beyond its end.
    pub fn place(&self, index: usize) -> Option<Place> {
        let row = *self.rows.get(index)?;
        let line = self
            .lines
            .as_ref()
            .and_then(|lines| lines.get(index).copied());
        Some(Place {
            file: self.file.clone(),
            row,
            line,
        })
    }

    /// Returns [`place`](Self::place) for an index known to be in the batch.
    pub(crate) fn at(&self, index: usize) -> Place {
        self.place(index).unwrap_or_else(|| Place {
            file: self.file.clone(),
            row: 0,
            line: None,
        })
    }

    /// Returns the index of the file in [`Split::files`].
    pub(crate) fn file_index(&self) -> usize {
        self.file_index as usize
    }

    /// Returns the index of the file in [`Split::files`] and the row within that file.
    pub(crate) fn source(&self, index: usize) -> (u32, u64) {
        (
            self.file_index,
            self.rows.get(index).copied().unwrap_or_default(),
        )
    }
}

impl Split {
    pub(crate) fn new(name: String, parts: Vec<Part>) -> Result<Self> {
        let schema = match parts.first().and_then(|part| part.series.files.first()) {
            Some(file) => file.info()?.schema.clone(),
            None => Arc::new(crate::arrow::datatypes::Schema::empty()),
        };
        let len = parts.iter().map(|part| part.rows.len()).sum();
        Ok(Self {
            name,
            parts: parts.into(),
            schema,
            len,
        })
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Returns the split expression, followed by the selections applied since: `train[:10%], first
    /// 5 rows`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number of selected rows.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether no row is selected.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the columns and metadata of the first file. Other files have the same column names,
    /// but may differ in types and class names.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the files that rows may come from, in order.
    pub fn files(&self) -> Vec<Arc<Path>> {
        let files = self.parts.iter().flat_map(|part| &part.series.files);
        files.map(|file| file.path.clone()).collect()
    }

    /// Selects `n` random rows; 0 means all rows. This is the set that
    /// `shuffle(seed).select(range(n))` would give, but kept in the order of the files, because the
    /// sampler does the shuffling. It takes one bit of memory per row.
    ///
    /// # Errors
    /// Never fails in practice; see [`Permutation::new`].
    pub fn shuffle_take(&self, seed: u64, n: u64) -> Result<Self> {
        if n == 0 || n >= self.len {
            return Ok(self.clone());
        }
        let permutation = Permutation::new(self.len, seed, SHUFFLE_TAKE)?;
        let mut rank = 0;
        let split = self.filter(|| {
            let keep = permutation.get(rank) < n;
            rank += 1;
            Ok::<_, Infallible>(keep)
        });
        match split {
            Ok(split) => Ok(split.named(format!("{}, {n} random rows", self.name))),
            Err(never) => match never {},
        }
    }

    /// Selects the first `n` rows; 0 means all rows.
    pub fn take(&self, n: u64) -> Self {
        if n == 0 || n >= self.len {
            return self.clone();
        }
        let mut rank = 0;
        let split = self.filter(|| {
            rank += 1;
            Ok::<_, Infallible>(rank <= n)
        });
        match split {
            Ok(split) => split.named(format!("{}, first {n} rows", self.name)),
            Err(never) => match never {},
        }
    }

    /// Selects the rows with these indices (from 0 within the split): each once and in the order of
    /// the files, regardless of the order of `rows`.
    ///
    /// # Errors
    /// [`Error::RowOutOfRange`] if an index is too large.
    pub fn select(&self, rows: &[u64]) -> Result<Self> {
        let mut wanted = rows.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        if let Some(&row) = wanted.last().filter(|&&row| row >= self.len) {
            return Err(Error::RowOutOfRange { row, len: self.len });
        }
        let mut wanted = wanted.into_iter().peekable();
        let mut rank = 0;
        let split = self.filter(|| {
            let keep = wanted.next_if_eq(&rank).is_some();
            rank += 1;
            Ok::<_, Infallible>(keep)
        });
        match split {
            Ok(split) => {
                let name = format!("{}, {} chosen rows", self.name, split.len);
                Ok(split.named(name))
            }
            Err(never) => match never {},
        }
    }

    /// Returns the rows for which `keep` returns true. It is called once per row, in order.
    pub(crate) fn filter<E>(&self, mut keep: impl FnMut() -> Result<bool, E>) -> Result<Self, E> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in self.parts.iter() {
            let rows = part.rows.filter(&mut keep)?;
            parts.push(Part {
                series: Arc::clone(&part.series),
                rows,
            });
        }
        let len = parts.iter().map(|part| part.rows.len()).sum();
        Ok(Self {
            name: self.name.clone(),
            parts: parts.into(),
            schema: self.schema.clone(),
            len,
        })
    }

    pub(crate) fn named(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    /// Streams the selected rows. Columns that cannot be read (nested JSON) are left out.
    ///
    /// # Errors
    /// Each batch fails if it cannot be read.
    pub fn batches(&self) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + use<>> {
        let fields = self.schema.fields().iter();
        let names: Vec<_> = fields
            .filter(|f| !jsonl_unreadable(f))
            .map(|f| f.name().as_str())
            .collect();
        Ok(self.read(&names)?.map(|item| item.map(|rows| rows.batch)))
    }

    /// Streams these columns of the selected rows, in this order, at most 1024 rows at a time.
    ///
    /// # Errors
    /// Fails for an unknown column. Each batch fails if it cannot be read.
    pub fn read(
        &self,
        columns: &[&str],
    ) -> Result<impl Iterator<Item = Result<RowBatch>> + Send + use<>> {
        self.stream(columns, false)
    }

    /// Streams columns as [`read`](Self::read) does. With `nested`, columns of nested or mixed JSON
    /// are returned as JSON text instead of rejected.
    pub(crate) fn stream(
        &self,
        columns: &[&str],
        nested: bool,
    ) -> Result<impl Iterator<Item = Result<RowBatch>> + Send + use<>> {
        indices(&self.schema, columns)?;
        let columns: Arc<[String]> = columns.iter().map(|c| (*c).to_owned()).collect();
        let sources = self.sources()?.into_iter();
        Ok(sources.flat_map(move |source| source.stream(&columns, nested)))
    }

    /// Returns the files that contain selected rows, in order.
    pub(crate) fn sources(&self) -> Result<Vec<Source>> {
        let mut file_index = 0;
        let mut sources = Vec::new();
        for part in self.parts.iter() {
            let starts = part.series.starts()?;
            for (file, range) in part.series.files.iter().zip(starts.windows(2)) {
                let hull = part.rows.hull();
                let (from, to) = (hull.start.max(range[0]), hull.end.min(range[1]));
                if from < to {
                    sources.push(Source {
                        schema: file.info()?.schema.clone(),
                        file: Arc::clone(file),
                        file_index,
                        rows: part.rows.clone(),
                        start: range[0],
                        range: from..to,
                    });
                }
                file_index += 1;
            }
        }
        Ok(sources)
    }

    /// Returns the schema of each of the [`files`](Self::files). Files of one split can differ in
    /// column types and class names.
    pub(crate) fn schemas(&self) -> Result<Vec<SchemaRef>> {
        let files = self.parts.iter().flat_map(|part| &part.series.files);
        files.map(|file| Ok(file.info()?.schema.clone())).collect()
    }

    /// Returns how the first file of the split is read, which is how all are; `None` without files.
    pub fn read_options(&self) -> Option<&ReadOptions> {
        let part = self.parts.first()?;
        Some(part.series.files.first()?.options())
    }

    /// Returns the files that rows may come from, in order, each with its length in bytes and the
    /// SHA-256 of its content as 64 hex digits. A file that was already hashed, for instance for
    /// the token cache, is not read again.
    ///
    /// # Errors
    /// Fails if a file cannot be read.
    pub fn file_hashes(&self) -> Result<Vec<(Arc<Path>, u64, String)>> {
        let files = self.parts.iter().flat_map(|part| &part.series.files);
        let hashed = files.map(|file| {
            let hash = file.content_hash()?;
            Ok((Arc::clone(&file.path), file.bytes()?, hex(&hash)))
        });
        hashed.collect()
    }

    /// Computes a SHA-256 over the contents of the files and the selection of rows.
    ///
    /// # Errors
    /// Fails if a file cannot be read.
    pub fn content_hash(&self) -> Result<[u8; 32]> {
        let mut hasher = Sha256::new();
        for part in self.parts.iter() {
            hasher.update((part.series.files.len() as u64).to_le_bytes());
            for file in &part.series.files {
                hasher.update(file.content_hash()?);
                // The same bytes read in a different way are different rows.
                hasher.update(file.reading()?);
                hasher.update([0]);
            }
            part.rows.hash(&mut hasher);
        }
        Ok(hasher.finalize().into())
    }
}

/// A file of a split and its selected rows.
pub(crate) struct Source {
    file: Arc<SourceFile>,
    /// The columns and metadata of the file.
    pub(crate) schema: SchemaRef,
    file_index: u32,
    rows: RowSet,
    /// The file's first row in the series; `rows` and `range` count from the start of the series.
    start: u64,
    range: Range<u64>,
}

impl Source {
    pub(crate) fn path(&self) -> &Arc<Path> {
        &self.file.path
    }

    /// Streams these columns of the selected rows.
    pub(crate) fn read(
        &self,
        columns: &[String],
    ) -> impl Iterator<Item = Result<RowBatch>> + Send + use<> {
        self.stream(columns, false)
    }

    /// Streams columns with or without nested JSON, as [`Split::stream`] does.
    fn stream(
        &self,
        columns: &[String],
        nested: bool,
    ) -> impl Iterator<Item = Result<RowBatch>> + Send + use<> {
        let (batches, failed) = match self.open(columns, nested) {
            Ok(batches) => (Some(batches), None),
            Err(error) => (None, Some(Err(error))),
        };
        let (path, rows) = (Arc::clone(&self.file.path), self.rows.clone());
        let (start, file_index) = (self.start, self.file_index);
        let selected = batches.into_iter().flatten().filter_map(move |item| {
            item.and_then(|raw| select(raw, &rows, start, &path, file_index))
                .transpose()
        });
        failed.into_iter().chain(selected)
    }

    fn open(&self, columns: &[String], nested: bool) -> Result<BatchIter> {
        let indices = indices(&self.schema, columns)?;
        let fields = indices.iter().map(|&index| self.schema.field(index));
        for field in fields.filter(|_| !nested) {
            if let Some(reason) = unreadable(field) {
                return Err(Error::Corrupt {
                    path: self.file.path.to_path_buf(),
                    format: "JSON lines",
                    message: format!("column `{}`: {reason}", field.name()),
                });
            }
        }
        let range = self.range.start - self.start..self.range.end - self.start;
        self.file.read(&indices, range)
    }
}

/// Returns the indices of these columns in a schema, efficiently even for many columns.
fn indices<T: AsRef<str>>(schema: &SchemaRef, columns: &[T]) -> Result<Vec<usize>> {
    let fields = schema.fields().iter();
    let all: HashMap<&str, usize> = fields
        .enumerate()
        .map(|(index, field)| (field.name().as_str(), index))
        .rev()
        .collect();
    let index = |column: &T| {
        all.get(column.as_ref())
            .copied()
            .ok_or_else(|| Error::UnknownColumn {
                column: column.as_ref().to_owned(),
                available: describe(schema),
            })
    };
    columns.iter().map(index).collect()
}

/// Random stream of the permutation behind [`Split::shuffle_take`].
pub(crate) const SHUFFLE_TAKE: u64 = 0x7461_6b65;

/// Keeps the selected rows of a batch; returns `None` if there are none.
fn select(
    raw: RawBatch,
    rows: &RowSet,
    file_start: u64,
    path: &Arc<Path>,
    file_index: u32,
) -> Result<Option<RowBatch>> {
    let RawBatch {
        mut batch,
        first_row,
        mut lines,
    } = raw;
    let all = first_row..first_row + batch.num_rows() as u64;
    let mask: Vec<bool> = all
        .clone()
        .map(|row| rows.contains(file_start + row))
        .collect();
    let mut numbers: Vec<u64> = all.collect();
    if mask.contains(&false) {
        let mut kept = mask.iter();
        numbers.retain(|_| kept.next() == Some(&true));
        if let Some(lines) = &mut lines {
            let mut kept = mask.iter();
            lines.retain(|_| kept.next() == Some(&true));
        }
        batch =
            filter_record_batch(&batch, &BooleanArray::from(mask)).map_err(|e| Error::Arrow {
                context: format!("selecting rows of {}", path.display()),
                message: e.to_string(),
            })?;
    }
    if numbers.is_empty() {
        return Ok(None);
    }
    Ok(Some(RowBatch {
        batch,
        file: path.clone(),
        file_index,
        rows: numbers,
        lines,
    }))
}
