//! The record of a finished build: what it was made from, its contents, and checksums of its files.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::split::{Dropped, Example, Splits};
use super::text::sha256_hex;
use super::write::write_atomically;
use crate::table;

/// Part of every fingerprint; must be raised when the code makes different files from the same
/// recipe.
pub const BUILDER: &str = "1";

/// A description of a finished build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    fingerprint: String,
    classes: Vec<String>,
    splits: Vec<SplitRecord>,
    left_out: LeftOut,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SplitRecord {
    name: String,
    rows: usize,
    /// Number of rows of each class, in the order of the labels.
    per_class: Vec<usize>,
    file: String,
    sha256: String,
}

/// Rows of the source that are not in the result, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    near_zero: usize,
    empty: usize,
    repeated: usize,
    conflicting: usize,
}

impl LeftOut {
    /// Counts rows whose rating is too close to zero and those that [`Dropped`] counts.
    #[must_use]
    pub fn new(near_zero: usize, dropped: Dropped) -> Self {
        Self {
            near_zero,
            empty: dropped.empty,
            repeated: dropped.repeated,
            conflicting: dropped.conflicting,
        }
    }
}

impl Stamp {
    /// Describes the result of a build; `files` are names and contents.
    #[must_use]
    pub fn new(
        fingerprint: String,
        classes: &[String],
        splits: &Splits<Vec<Example>>,
        files: &Splits<(String, Vec<u8>)>,
        left_out: LeftOut,
    ) -> Self {
        let records = splits
            .iter()
            .zip(files.iter())
            .map(|((name, rows), (_, (file, bytes)))| SplitRecord {
                name: name.to_owned(),
                rows: rows.len(),
                per_class: (0..classes.len() as i64)
                    .map(|label| rows.iter().filter(|row| row.label == label).count())
                    .collect(),
                file: file.clone(),
                sha256: sha256_hex(bytes),
            })
            .collect();
        Self {
            fingerprint,
            classes: classes.to_vec(),
            splits: records,
            left_out,
        }
    }

    /// Reads the stamp of an earlier build, if there is a readable one.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        let text = fs::read(path).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes the stamp beside the cache of sources.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, &serde_json::to_vec_pretty(self)?)
    }

    /// Returns whether the files in `folder` are those that this build made from the same recipe.
    #[must_use]
    pub fn holds(&self, fingerprint: &str, folder: &Path) -> bool {
        let intact = |split: &SplitRecord| {
            fs::read(folder.join(&split.file)).is_ok_and(|bytes| sha256_hex(&bytes) == split.sha256)
        };
        self.fingerprint == fingerprint && self.splits.iter().all(intact)
    }

    /// Formats splits and counts as a table, followed by a line about the rows left out.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows = vec![vec!["split".to_owned(), "rows".to_owned()]];
        rows[0].extend(self.classes.iter().cloned());
        let mut total = vec![0; self.classes.len() + 1];
        for split in &self.splits {
            let counts = std::iter::once(split.rows).chain(split.per_class.iter().copied());
            let counts: Vec<usize> = counts.collect();
            for (sum, count) in total.iter_mut().zip(&counts) {
                *sum += count;
            }
            rows.push(Self::row(&split.name, &counts));
        }
        rows.push(Self::row("total", &total));
        let mut text = table::format(&rows);
        let LeftOut {
            near_zero,
            empty,
            repeated,
            conflicting,
        } = self.left_out;
        let reasons: Vec<String> = [
            (near_zero, "rated too close to zero"),
            (empty, "without letters or digits"),
            (repeated, "repeated"),
            (conflicting, "the same text in two classes"),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, reason)| format!("{} {reason}", table::thousands(*count)))
        .collect();
        if !reasons.is_empty() {
            text.push_str(&format!("left out: {}\n", reasons.join(", ")));
        }
        text
    }

    fn row(name: &str, counts: &[usize]) -> Vec<String> {
        let counts = counts.iter().copied().map(table::thousands);
        std::iter::once(name.to_owned()).chain(counts).collect()
    }
}
