//! Splits as token ids in a file on disk.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use finetune_task::Labels;

use crate::batch::packed::PackedBatch;
use crate::error::Place;
use crate::tokens::cache::{Cache, CacheWriter, Layout, VERSION, WRITE};
use crate::tokens::encode::{Form, encode_all};
use crate::tokens::text_encoder::{Encoded, TextEncoder};
use crate::tokens::tokenizer::TextTokenizer;
use crate::{
    Columns, Error, Inferred, LabelDecoder, MaskingVocabulary, Result, Split, Task, TextRow,
};

/// Options for tokenizing.
#[derive(Clone, Debug)]
pub struct TokenizeOptions<'a> {
    /// Maximum length of a row in tokens, special tokens included. Longer rows are cut, the longer
    /// text of a pair first.
    pub max_length: usize,
    /// The directory in which the result is cached. If it is `None` or not writable, the result
    /// goes to a temporary file that is deleted at the end.
    pub cache_dir: Option<&'a Path>,
}

/// A split as token ids in a file on disk, so that memory does not grow with the number of rows.
/// Cloning is cheap; clones share the file and can be read from several threads.
///
/// A row of tokens is a row of the split, cut at the maximum length, or one of the windows into which
/// its texts are cut ([`build_windows`](Self::build_windows)).
#[derive(Clone, Debug)]
pub struct TokenizedDataset {
    cache: Arc<Cache>,
    split: Split,
    columns: Columns,
    /// Further splits: those whose texts were cut into windows too, or whose rows have no labels.
    others: Arc<[Split]>,
    /// Number of rows with labels, which come first.
    labelled: u64,
    files: Arc<[Arc<Path>]>,
    max_length: usize,
    form: Form,
    tokenizer_hash: [u8; 32],
    build: BuildReport,
}

/// How a tokenized data set was obtained.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildReport {
    /// Where the tokens came from.
    pub source: CacheSource,
    /// Why the tokens could not be cached, if that was requested.
    pub not_kept: Option<String>,
    /// The time it took, including the hashing of the files.
    pub elapsed: Duration,
    /// Rows per second during that time.
    pub rows_per_second: f64,
}

impl BuildReport {
    fn new(source: CacheSource, not_kept: Option<String>) -> Self {
        Self {
            source,
            not_kept,
            elapsed: Duration::ZERO,
            rows_per_second: 0.0,
        }
    }
}

/// Where the tokens of a data set came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheSource {
    /// They were found in the cache directory and verified.
    Cached,
    /// They were tokenized now.
    Tokenized,
    /// They were tokenized now because the cached file was damaged in the way described.
    Rebuilt(String),
}

/// Row lengths in tokens, special tokens included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LengthSummary {
    /// Length of the shortest row.
    pub min: usize,
    /// Length of the longest row.
    pub max: usize,
    /// Mean length.
    pub mean: f64,
    /// Median length.
    pub p50: usize,
    /// Length that 95 % of the rows do not exceed.
    pub p95: usize,
    /// Length that 99 % of the rows do not exceed.
    pub p99: usize,
}

impl TokenizedDataset {
    /// Tokenizes a split on all cores, or loads the result from the cache.
    ///
    /// The cache key covers the contents of the files, the selected rows, the columns, labels,
    /// tokenizer and maximum length. `labels` is `None` for rows without labels. `progress(done,
    /// total)` is called as rows are written and stops the work by returning `Break`.
    ///
    /// # Errors
    /// Fails for files that cannot be read, null texts and labels that cannot be decoded (naming
    /// the row), if there is no directory in which tokens can be written, and with
    /// [`Error::Stopped`].
    pub fn build(
        split: &Split,
        columns: &Columns,
        labels: Option<&Task>,
        tokenizer: &TextTokenizer,
        options: &TokenizeOptions<'_>,
        progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let sources = [(split, columns)];
        Self::build_as(Form::Row, &sources, labels, tokenizer, options, progress)
    }

    /// Tokenizes a split with labels like [`build`](Self::build), and after it the rows of others, each with
    /// its columns, without labels. Batches have the labels of their [labelled](Self::labelled) rows alone.
    ///
    /// # Errors
    /// Fails as `build` does, and if only some of the splits have pairs of texts.
    pub fn build_with_unlabelled(
        labelled: (&Split, &Columns),
        unlabelled: &[(&Split, &Columns)],
        labels: &Task,
        tokenizer: &TextTokenizer,
        options: &TokenizeOptions<'_>,
        progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let columns = labelled.1;
        let mut others = unlabelled.iter().map(|(_, columns)| columns);
        if let Some(other) = others.find(|other| other.is_pair() != columns.is_pair()) {
            return Err(Error::PairsAndTexts {
                labelled: columns.text.clone(),
                unlabelled: other.text.clone(),
            });
        }
        let sources: Vec<_> = std::iter::once(&labelled)
            .chain(unlabelled)
            .copied()
            .collect();
        let labels = Some(labels);
        Self::build_as(Form::Row, &sources, labels, tokenizer, options, progress)
    }

    /// Tokenizes the texts of splits, each with its columns, on all cores as windows without labels, or
    /// loads the result from the cache: each text is cut into consecutive parts of at most the maximum
    /// length, and nothing is left out. The texts of a pair are cut each by itself. `progress` counts
    /// rows of the splits.
    ///
    /// # Errors
    /// Fails as [`build`](Self::build) does, and if there are no splits.
    pub fn build_windows(
        sources: &[(&Split, &Columns)],
        tokenizer: &TextTokenizer,
        options: &TokenizeOptions<'_>,
        progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        Self::build_as(Form::Windows, sources, None, tokenizer, options, progress)
    }

    fn build_as(
        form: Form,
        sources: &[(&Split, &Columns)],
        labels: Option<&Task>,
        tokenizer: &TextTokenizer,
        options: &TokenizeOptions<'_>,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let started = Instant::now();
        let Some((&(split, columns), others)) = sources.split_first() else {
            return Err(Error::NoTexts);
        };
        let rows = sources.iter().map(|(split, _)| split.len()).sum();
        let pairs = form == Form::Row && columns.is_pair();
        let encoder = tokenizer.encoder(options.max_length, pairs)?;
        let labelled = match (labels, form) {
            (Some(_), Form::Row) => split.len(),
            _ => 0,
        };
        let of = (columns, others, tokenizer, form, labelled);
        let decoder = match labels {
            Some(task) => Some(LabelDecoder::new(task, split, columns)?),
            None => None,
        };
        let mut key = [0; 32];
        let mut source = CacheSource::Tokenized;
        let mut place = None;
        let mut not_kept = None;
        if let Some(directory) = options.cache_dir {
            key = cache_key(sources, labels, &encoder, tokenizer, form)?;
            let path = directory.join(hex(&key[..16]) + ".tokens");
            if path.exists() {
                match Cache::open(&path, key) {
                    Ok(cache) => {
                        let build = BuildReport::new(CacheSource::Cached, None);
                        return Ok(Self::new(cache, split, of, options, build, started));
                    }
                    Err(why) => source = CacheSource::Rebuilt(why),
                }
            }
            match std::fs::create_dir_all(directory) {
                Ok(()) => place = Some(path),
                Err(e) => not_kept = Some(Error::io(directory, "create", e).to_string()),
            }
            finetune_files::remove_leftovers(directory);
        }
        let wide = tokenizer.vocab_size() > 1 << 16;
        let layout = Layout::new(wide, pairs, labels);
        // The debug form of names quotes and escapes them, so different lists of names never look
        // alike.
        let how = match form {
            Form::Row if others.is_empty() => {
                format!("max_length {}, labels {labels:?}", options.max_length)
            }
            Form::Row => format!(
                "max_length {}, labels {labels:?} of the first {labelled} rows",
                options.max_length
            ),
            Form::Windows => format!("windows of {}", options.max_length),
        };
        let mut write = |directory: &Path, place: Option<&Path>| {
            let mut writer = CacheWriter::create(directory, place, layout)?;
            let (mut read, mut files) = (0, 0);
            for (number, &(split, columns)) in sources.iter().enumerate() {
                let decoder = decoder.as_ref().filter(|_| number == 0);
                encode_all(split, columns, decoder, &encoder, form, |part| {
                    read += part.rows();
                    for (index, encoded) in part.iter() {
                        let (file, row) = part.source(index);
                        writer.push(encoded, (files + file, row), part.labels(), index)?;
                    }
                    match progress(read, rows) {
                        ControlFlow::Continue(()) => Ok(()),
                        ControlFlow::Break(()) => Err(Error::Stopped),
                    }
                })?;
                files += split.files().len() as u32;
            }
            if read != rows {
                return Err(Error::RowCount {
                    name: split.name().to_owned(),
                    expected: rows,
                    found: read,
                });
            }
            writer.finish(key, &how, place)
        };
        let temporary = std::env::temp_dir();
        let kept = place.as_deref().zip(options.cache_dir);
        let cache = match kept.map(|(place, directory)| write(directory, Some(place))) {
            // Keeping the tokens is optional; having them is not.
            Some(Err(error)) if is_about_writing(&error) => {
                not_kept = Some(error.to_string());
                write(&temporary, None)
            }
            Some(result) => result,
            None => write(&temporary, None),
        };
        let cache = cache.map_err(|error| match (error, &not_kept) {
            (error, Some(reason)) if is_about_writing(&error) => Error::NoPlaceForTokens {
                cache: reason.clone(),
                temporary: error.to_string(),
                source: Box::new(error),
            },
            (error, _) => error,
        })?;
        let build = BuildReport::new(source, not_kept);
        Ok(Self::new(cache, split, of, options, build, started))
    }

    fn new(
        cache: Cache,
        split: &Split,
        (columns, others, tokenizer, form, labelled): (
            &Columns,
            &[(&Split, &Columns)],
            &TextTokenizer,
            Form,
            u64,
        ),
        options: &TokenizeOptions<'_>,
        mut build: BuildReport,
        started: Instant,
    ) -> Self {
        build.elapsed = started.elapsed();
        build.rows_per_second = cache.rows() as f64 / build.elapsed.as_secs_f64().max(1e-9);
        Self {
            cache: Arc::new(cache),
            split: split.clone(),
            columns: columns.clone(),
            files: std::iter::once(split)
                .chain(others.iter().map(|(split, _)| *split))
                .flat_map(Split::files)
                .collect(),
            others: others.iter().map(|(split, _)| (*split).clone()).collect(),
            labelled,
            max_length: options.max_length,
            form,
            tokenizer_hash: tokenizer.hash(),
            build,
        }
    }

    /// Returns the rows that were tokenized; of several splits, those of the first.
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// Returns all splits that were tokenized: one, or several as windows, or one and rows without labels.
    pub fn splits(&self) -> impl Iterator<Item = &Split> {
        std::iter::once(&self.split).chain(&*self.others)
    }

    /// Returns the number of rows.
    pub fn len(&self) -> u64 {
        self.cache.rows()
    }

    /// Returns the number of rows with labels. They come first; the others have none.
    pub fn labelled(&self) -> u64 {
        self.labelled
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the total number of tokens in all rows, special tokens included.
    pub fn total_tokens(&self) -> u64 {
        self.cache.tokens()
    }

    /// Returns the tokenizer's [`TextTokenizer::hash`] in hexadecimal.
    pub fn tokenizer_hash_hex(&self) -> String {
        hex(&self.tokenizer_hash)
    }

    /// Returns the maximum length at which rows were cut.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Returns whether the rows are windows of texts, not whole rows of the split.
    pub fn is_windows(&self) -> bool {
        self.form == Form::Windows
    }

    /// Returns the number of rows that were cut at the maximum length.
    pub fn truncated_rows(&self) -> u64 {
        self.cache.summary.truncated
    }

    /// Returns the number of rows of each class in the order of the class list; a row with several
    /// classes counts for each. `None` for regression and without labels. The rows were counted
    /// when the data were tokenized.
    pub fn class_counts(&self) -> Option<Vec<u64>> {
        let counts = || self.cache.summary.class_counts.clone();
        self.cache.layout().has_classes().then(counts)
    }

    /// Returns a SHA-256 of what training sees: the tokens and lengths of all rows in order, their
    /// labels with the names, and the maximum length. Two data sets with the same fingerprint give
    /// the same batches, whatever file, format or machine they came from. It is computed when the
    /// data are tokenized, and kept in the cache.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.cache.fingerprint()
    }

    /// Returns the [`fingerprint`](Self::fingerprint) in hexadecimal.
    pub fn fingerprint_hex(&self) -> String {
        hex(&self.fingerprint())
    }

    /// Returns how the data set was obtained, and how fast.
    pub fn build_report(&self) -> &BuildReport {
        &self.build
    }

    /// Returns the path of the cache file. Without a cache directory, the file no longer has this
    /// name.
    pub fn path(&self) -> &Path {
        self.cache.path()
    }

    /// Returns statistics of the row lengths in tokens.
    pub fn lengths(&self) -> LengthSummary {
        let counts = &self.cache.summary.lengths;
        let rows = self.len();
        let quantile = |share: f64| {
            let wanted = (share * rows as f64).ceil() as u64;
            let mut seen = 0;
            let reached = |&count: &u64| {
                seen += count;
                seen >= wanted.max(1)
            };
            counts.iter().position(reached).unwrap_or(0)
        };
        LengthSummary {
            min: counts.iter().position(|&count| count > 0).unwrap_or(0),
            max: counts.iter().rposition(|&count| count > 0).unwrap_or(0),
            mean: if rows == 0 {
                0.0
            } else {
                self.total_tokens() as f64 / rows as f64
            },
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
        }
    }

    /// Returns the number of rows of each length in tokens, from 0.
    pub fn length_counts(&self) -> &[u64] {
        &self.cache.summary.lengths
    }

    /// Returns the number of tokens of one row.
    ///
    /// # Errors
    /// Fails if the row is out of range or the cache file has been damaged.
    pub fn row_len(&self, row: u64) -> Result<u32> {
        Ok(self.cache.entry(row)?.len)
    }

    /// Returns the numbers of tokens of the rows `row..row + count`.
    ///
    /// # Errors
    /// The errors of [`row_len`](Self::row_len).
    pub fn row_lens(&self, row: u64, count: usize) -> Result<Vec<u32>> {
        Ok(self
            .cache
            .entries(row, count)?
            .iter()
            .map(|entry| entry.len)
            .collect())
    }

    /// Returns the labels of rows, in the given order, without their tokens; rows without labels are left
    /// out.
    ///
    /// # Errors
    /// The errors of [`row_len`](Self::row_len).
    pub fn labels(&self, rows: &[u64]) -> Result<Labels> {
        let mut labels = self.cache.no_labels(rows.len());
        for &row in rows.iter().filter(|row| **row < self.labelled) {
            self.cache.append_label(row, &mut labels)?;
        }
        Ok(labels)
    }

    /// Returns the original texts of rows of the first split, in the given order, each with its place. This
    /// reads the current files of the split again, once for any number of rows. Windows are not rows of the
    /// split, so their texts cannot be found again.
    ///
    /// # Errors
    /// Fails if a row is out of range, for windows, and if a file cannot be read or has fewer rows than before.
    pub fn texts(&self, rows: &[u64]) -> Result<Vec<TextRow>> {
        match self.form {
            Form::Row => self.split.texts_of_rows(&self.columns, rows),
            Form::Windows => Err(Error::WindowTexts),
        }
    }

    /// Returns the files that rows may come from, in order.
    pub fn files(&self) -> &[Arc<Path>] {
        &self.files
    }

    /// Returns the file and the row within it that a row comes from, without its line
    /// ([`places`](Self::places)).
    ///
    /// # Errors
    /// The errors of [`row_len`](Self::row_len).
    pub fn source(&self, row: u64) -> Result<Place> {
        let entry = self.cache.entry(row)?;
        match self.files.get(entry.source_file as usize) {
            Some(file) => Ok(Place {
                file: file.clone(),
                row: entry.source_row,
                line: None,
            }),
            None => Err(Error::RowOutOfRange {
                row,
                len: self.len(),
            }),
        }
    }

    /// Returns the places of rows with their lines, in the given order. This reads the files of the
    /// split again, as [`texts`](Self::texts) does. Windows have the place of their text, and rows of
    /// further splits theirs, without its line.
    ///
    /// # Errors
    /// The errors of [`texts`](Self::texts).
    pub fn places(&self, rows: &[u64]) -> Result<Vec<Place>> {
        let of_first = |row: &u64| *row < self.split.len();
        if self.form == Form::Windows || !rows.iter().all(of_first) {
            return rows.iter().map(|&row| self.source(row)).collect();
        }
        let texts = self.texts(rows)?.into_iter();
        Ok(texts.map(|row| row.place).collect())
    }

    /// Packs rows into a batch, in the given order.
    ///
    /// # Errors
    /// The errors of [`row_len`](Self::row_len), and an error for more than 2^32 tokens.
    pub fn batch(&self, rows: &[u64]) -> Result<PackedBatch> {
        let mut batch = self.cache.empty_batch(rows.len());
        let mut scratch = Vec::new();
        for &row in rows {
            let labelled = row < self.labelled;
            self.cache.append(row, labelled, &mut scratch, &mut batch)?;
        }
        Ok(batch.finish())
    }

    /// Copies rows, in the given order and with repetitions, into a temporary file, as a data set of their
    /// own: a sample on which work can be tried. If only some of the rows have labels, those must come first.
    /// The copy does not know which rows were cut.
    ///
    /// # Errors
    /// The errors of [`batch`](Self::batch), and an error if the file cannot be written.
    pub fn select(&self, rows: &[u64]) -> Result<Self> {
        /// Rows that are read at a time.
        const ROWS: usize = 256;
        let directory = std::env::temp_dir();
        let mut writer = CacheWriter::create(&directory, None, self.cache.layout())?;
        for rows in rows.chunks(ROWS) {
            let batch = self.batch(rows)?;
            for (index, range) in batch.tokens.offsets.ranges().enumerate() {
                let entry = self.cache.entry(rows[index])?;
                let encoded = Encoded {
                    ids: batch.tokens.ids[range.clone()].to_vec(),
                    type_ids: batch.tokens.type_ids[range].to_vec(),
                    truncated: false,
                };
                let source = (entry.source_file, entry.source_row);
                writer.push(&encoded, source, &batch.labels, index)?;
            }
        }
        let labelled = rows.iter().take_while(|row| **row < self.labelled);
        Ok(Self {
            labelled: labelled.count() as u64,
            cache: Arc::new(writer.finish([0; 32], "a sample", None)?),
            ..self.clone()
        })
    }

    /// Returns whether any row has a token that is not special, so that a masked language model can have
    /// something to predict. Reads up to the first such row, which is nearly always the first of all.
    ///
    /// # Errors
    /// The errors of [`batch`](Self::batch).
    pub fn has_maskable(&self, vocabulary: &MaskingVocabulary) -> Result<bool> {
        /// Rows that are read at a time.
        const ROWS: u64 = 256;
        let is_ordinary = |id: &u32| !vocabulary.is_special(*id);
        for first in (0..self.len()).step_by(ROWS as usize) {
            let rows: Vec<_> = (first..self.len().min(first + ROWS)).collect();
            if self.batch(&rows)?.tokens.ids.iter().any(is_ordinary) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Split {
    /// Tokenizes the split with conventional columns and inferred labels (none if there is no label
    /// column) and without a cache: a shortcut for scripts.
    ///
    /// # Errors
    /// The errors of [`Columns::resolve`], [`infer_task`](crate::infer_task) and
    /// [`TokenizedDataset::build`].
    pub fn tokenize(
        &self,
        tokenizer: &TextTokenizer,
        max_length: usize,
    ) -> Result<TokenizedDataset> {
        let mut columns = Columns::resolve(self, &[], &[], false)?;
        let labels = match columns.label[..] {
            [] => None,
            _ => {
                let inferred = Inferred::of(&[self], &columns, None, None)?;
                columns = inferred.columns;
                Some(inferred.task)
            }
        };
        let options = TokenizeOptions {
            max_length,
            cache_dir: None,
        };
        let keep_going = |_, _| ControlFlow::Continue(());
        TokenizedDataset::build(
            self,
            &columns,
            labels.as_ref(),
            tokenizer,
            &options,
            keep_going,
        )
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns whether an error concerns the place where tokens are written rather than the data.
fn is_about_writing(error: &Error) -> bool {
    matches!(error, Error::Io { action, .. } if *action == WRITE)
}

fn cache_key(
    sources: &[(&Split, &Columns)],
    labels: Option<&Task>,
    encoder: &TextEncoder,
    tokenizer: &TextTokenizer,
    form: Form,
) -> Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    hasher.update(VERSION.to_le_bytes());
    for (number, (split, columns)) in sources.iter().enumerate() {
        hasher.update(split.content_hash()?);
        if number == 0 {
            hasher.update(tokenizer.hash());
            hasher.update((encoder.max_length() as u64).to_le_bytes());
        }
        // The debug form of names quotes and escapes them, so that no two of these texts run together.
        hasher.update(format!(
            "{:?} {:?} {labels:?}",
            columns.text,
            labels.map(|_| (&columns.label, columns.cells))
        ));
        if columns.labels_by_position {
            hasher.update("by position");
        }
    }
    if form == Form::Windows {
        hasher.update("windows");
    }
    Ok(hasher.finalize().into())
}
