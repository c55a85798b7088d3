//! Opens data sets and selects their splits.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::read::SourceFile;
use crate::read::hf_metadata;
use crate::rows::class_folders::class_folders;
use crate::rows::column::{Kind, describe};
use crate::rows::discover::{default_split, discover, find_split, split_in_name};
use crate::rows::row_set::RowSet;
use crate::rows::split::{Part, Split};
use crate::rows::split_expr;
use crate::{Error, Note, ReadOptions, Result};

/// Files of rows, grouped into splits. Opening a data set lists its files; their contents are read
/// when a split is requested.
///
/// ```no_run
/// # fn main() -> finetune_data::Result<()> {
/// let dataset = finetune_data::Dataset::open("reviews/")?;
/// let train = dataset.split("train[:90%]")?;
/// println!("{} of {} splits: {} rows", train.name(), dataset.split_names().len(), train.len());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Dataset {
    path: String,
    splits: Vec<(String, Arc<Series>)>,
    /// How files were assigned to splits, where that needed a decision.
    notes: Vec<Note>,
}

/// The files of one split, in order.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) files: Vec<Arc<SourceFile>>,
}

impl Series {
    /// Returns the first row of each file in the series, followed by the total.
    pub(crate) fn starts(&self) -> Result<Vec<u64>> {
        let mut starts = vec![0];
        let mut total = 0u64;
        for file in &self.files {
            total = total.saturating_add(file.info()?.rows);
            starts.push(total);
        }
        Ok(starts)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.starts()?.last().copied().unwrap_or(0))
    }
}

impl Dataset {
    /// Opens one of the following:
    ///
    /// * a file (`reviews.csv`), which becomes the split `train`;
    /// * a directory with a file per split (`train.parquet`, `validation.csv`, `test.jsonl`, with the
    ///   aliases `valid`, `val`, `dev`, `eval`, …) or shards (`train-00000-of-00002.parquet`), also in
    ///   a folder `data` or in one folder per split, as the hub and `save_to_disk` lay them out;
    /// * a glob (`reviews/*.parquet`);
    /// * a directory with a folder per class and a text in each `.txt` file (`pos/1.txt`, or
    ///   `train/pos/1.txt`).
    ///
    /// Formats by extension: Parquet, Arrow IPC (`.arrow`, `.feather`, `.ipc`; file or stream), CSV
    /// and TSV with a header, JSON (`.jsonl`, `.ndjson`, `.json`: an object per line, or an array of
    /// objects), and text (`.txt`, one row per line, or fastText's lines with their labels); the text
    /// formats also inside gzip or zstd (`.csv.gz`, `.jsonl.zst`).
    ///
    /// # Errors
    /// Fails if there is nothing at `path`, and for a pipe or device, an unknown extension, an
    /// empty file, or two files for one split.
    pub fn open(path: impl AsRef<str>) -> Result<Self> {
        Self::open_with(path, &ReadOptions::default())
    }

    /// Opens a data set as [`open`](Self::open) does, with the given options for reading its files.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open).
    pub fn open_with(path: impl AsRef<str>, options: &ReadOptions) -> Result<Self> {
        Self::open_named(path, &[], options)
    }

    /// Opens a data set as [`open_with`](Self::open_with) does, with `class_names` as in
    /// [`from_files`](Self::from_files).
    ///
    /// # Errors
    /// The errors of [`open`](Self::open).
    pub fn open_named(
        path: impl AsRef<str>,
        class_names: &[(String, Vec<String>)],
        options: &ReadOptions,
    ) -> Result<Self> {
        let features = hf_metadata::with_class_names(class_names);
        let path = path.as_ref();
        let mut splits = Vec::new();
        let mut notes = Vec::new();
        for (name, folder, texts) in class_folders(Path::new(path), &mut notes)? {
            let files = vec![Arc::new(SourceFile::class_folders(&folder, texts, options))];
            splits.push((name, Arc::new(Series { files })));
        }
        if !splits.is_empty() {
            return Ok(Self {
                path: path.to_owned(),
                splits,
                notes,
            });
        }
        for (name, files) in discover(path, &mut notes)? {
            let files = files
                .iter()
                .map(|f| {
                    Ok(Arc::new(
                        SourceFile::open(f, options)?.with_features(features.clone()),
                    ))
                })
                .collect::<Result<_>>()?;
            splits.push((name, Arc::new(Series { files })));
        }
        Ok(Self {
            path: path.to_owned(),
            splits,
            notes,
        })
    }

    /// Opens a single file as the split `train`.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open).
    pub fn open_file(path: &Path) -> Result<Self> {
        Self::open_file_with(path, &ReadOptions::default())
    }

    /// Opens a file as [`open_file`](Self::open_file) does, with the given options for reading it.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open).
    pub fn open_file_with(path: &Path, options: &ReadOptions) -> Result<Self> {
        let files = vec![Arc::new(SourceFile::open(path, options)?)];
        let splits = vec![("train".to_owned(), Arc::new(Series { files }))];
        Ok(Self {
            path: path.display().to_string(),
            splits,
            notes: Vec::new(),
        })
    }

    /// Groups files that the caller has found, such as those of a data set on a hub, by split and
    /// in order. `class_names` are the class names of columns of integers, or of strings that are
    /// these names or their indices, for files that do not declare them. `name` stands in for the
    /// path in messages.
    ///
    /// # Errors
    /// Fails for an unknown extension and for an empty file.
    pub fn from_files(
        name: &str,
        files: Vec<(String, Vec<PathBuf>)>,
        class_names: &[(String, Vec<String>)],
        options: &ReadOptions,
    ) -> Result<Self> {
        let features = hf_metadata::with_class_names(class_names);
        let mut splits = Vec::new();
        for (split, files) in files {
            let open = |path: &PathBuf| {
                let file = SourceFile::open(path, options)?;
                Ok(Arc::new(file.with_features(features.clone())))
            };
            let files = files.iter().map(open).collect::<Result<_>>()?;
            splits.push((split, Arc::new(Series { files })));
        }
        Ok(Self {
            path: name.to_owned(),
            splits,
            notes: Vec::new(),
        })
    }

    /// Returns what was detected about the files of the splits requested so far and differs from
    /// what their names say.
    pub fn notes(&self) -> Vec<Note> {
        let files = self.splits.iter().flat_map(|(_, series)| &series.files);
        let files = files.flat_map(|file| file.notes());
        self.notes.iter().chain(files).cloned().collect()
    }

    /// Returns the split to use for `train`, `validation` or `test` if the user named none: the
    /// split with that name or alias or, with a note, the first of several such as
    /// `validation_matched` and `validation_mismatched`.
    pub fn default_split(&self, role: &str) -> Option<(String, Option<Note>)> {
        if self.has_split(role) {
            return Some((role.to_owned(), None));
        }
        let mut names = self.split_names();
        let first = default_split(&names, role)?.to_owned();
        names.retain(|name| split_in_name(name) == Some(role));
        let note = Note::new(format!(
            "{}: of the splits {} the first is taken for {role}; --{role}-split (of evaluate: --split) names another, or several joined by +",
            self.path,
            names.join(", ")
        ));
        Some((first, Some(note)))
    }

    /// Returns the path that the data set was opened with.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the names of the splits: train, validation and test first, then the others by name.
    pub fn split_names(&self) -> Vec<&str> {
        self.splits.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Returns whether a split has this name or alias.
    pub fn has_split(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Returns whether this name or alias refers to the split called `split`.
    pub fn is_split(&self, name: &str, split: &str) -> bool {
        self.find(name).is_some_and(|(found, _)| found == split)
    }

    /// Returns the rows selected by a split expression, as in `datasets`: `train`, `train[:1%]`,
    /// `train[100:200]`, `train[-10%:]`, `train[:10%]+test`, `train[:33%](pct1_dropremainder)`.
    /// Percentages round to the closest row. Unlike in `datasets`, it is an error to mix rows and
    /// percent in one slice or to select nothing.
    ///
    /// # Errors
    /// Fails for a malformed expression, an unknown split (the message lists the splits), an
    /// expression that selects nothing, and a file that cannot be read.
    pub fn split(&self, expression: &str) -> Result<Split> {
        let mut parts: Vec<Part> = Vec::new();
        let mut detail = Vec::new();
        for term in split_expr::parse(expression)? {
            let (name, series) = self.find(&term.split).ok_or_else(|| Error::UnknownSplit {
                name: term.split.clone(),
                available: self.split_names().join(", "),
            })?;
            let first = parts
                .first()
                .map_or(&series.files[0], |part| &part.series.files[0]);
            for file in &series.files {
                same_columns(first, file)?;
            }
            let len = series.len()?;
            detail.push(match len {
                0 => format!("`{name}` has 0 rows ({})", series.files[0].path.display()),
                _ => format!("`{name}` has {len} rows"),
            });
            let rows = term.rows(len, expression)?;
            if !rows.is_empty() {
                let rows = RowSet::Range(rows);
                parts.push(Part {
                    series: Arc::clone(series),
                    rows,
                });
            }
        }
        if parts.is_empty() {
            let detail = detail.join(", ");
            return Err(Error::EmptySplit {
                expression: expression.to_owned(),
                detail,
            });
        }
        Split::new(expression.trim().to_owned(), parts)
    }

    fn find(&self, name: &str) -> Option<(&str, &Arc<Series>)> {
        let found = find_split(&self.split_names(), name)?;
        let mut splits = self.splits.iter();
        let (name, series) = splits.find(|(split, _)| split == found)?;
        Some((name, series))
    }
}

/// Checks that files read together have the same column names with compatible types. What labels of
/// different types mean together is decided when they are read.
fn same_columns(first: &SourceFile, file: &SourceFile) -> Result<()> {
    let (expected, found) = (&first.info()?.schema, &file.info()?.schema);
    let kinds: HashMap<&str, Kind> = found
        .fields()
        .iter()
        .map(|field| (field.name().as_str(), Kind::of(field.data_type())))
        .collect();
    let compatible = expected.fields().len() == found.fields().len()
        && expected.fields().iter().all(|field| {
            let kind = Kind::of(field.data_type());
            kinds.get(field.name().as_str()).is_some_and(|&other| {
                kind == other || (kind != Kind::Other && other != Kind::Other)
            })
        });
    if compatible {
        return Ok(());
    }
    Err(Error::SchemaMismatch {
        path: file.path.to_path_buf(),
        first: first.path.to_path_buf(),
        expected: describe(expected),
        found: describe(found),
    })
}
