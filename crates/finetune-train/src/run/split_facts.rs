//! The rows of a run as its manifest describes them: how many, how long, and how their files are read.

use finetune_data::{CsvHeader, CsvOptions, TokenizedDataset};
use serde::{Deserialize, Serialize};

use crate::TrainData;

/// The most bars of a histogram of lengths.
const BARS: usize = 32;

/// The rows of one split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitFacts {
    /// `train`, `validation` or `test`.
    pub name: String,
    /// Number of rows; of windows, if the rows are windows of texts.
    pub rows: u64,
    /// Number of rows that were cut at the maximum length.
    pub truncated: u64,
    /// Mean number of tokens of a row, special tokens included.
    pub mean_tokens: f64,
    /// Length in tokens that half of the rows do not exceed.
    pub p50_tokens: usize,
    /// Length that 95 % of the rows do not exceed.
    pub p95_tokens: usize,
    /// Length of the longest row.
    pub max_tokens: usize,
    /// Number of lengths that one of the [`length_counts`](Self::length_counts) covers.
    pub length_width: usize,
    /// Number of rows of the lengths 0 to `length_width - 1`, and so on, at most 32.
    pub length_counts: Vec<u64>,
    /// How the files are read.
    pub reading: Reading,
}

/// How files of rows are read, beyond what their content tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// How CSV is written.
    #[serde(default)]
    pub csv: CsvOptions,
    /// Where the column names of CSV files come from.
    #[serde(default)]
    pub csv_header: CsvHeader,
}

impl SplitFacts {
    /// Describes the rows of a run.
    pub(crate) fn all(data: &TrainData) -> Vec<Self> {
        let names = ["train", "validation", "test"].into_iter();
        names
            .zip(data.splits())
            .map(|(name, rows)| Self::of(name, rows))
            .collect()
    }

    fn of(name: &str, rows: &TokenizedDataset) -> Self {
        let lengths = rows.lengths();
        let counts = rows.length_counts();
        let counts = counts.get(..=lengths.max).unwrap_or(counts);
        let width = counts.len().div_ceil(BARS).max(1);
        let reading = rows.split().read_options().map(|options| Reading {
            csv: options.csv.clone(),
            csv_header: options.csv_header.clone(),
        });
        Self {
            name: name.into(),
            rows: rows.len(),
            truncated: rows.truncated_rows(),
            mean_tokens: lengths.mean,
            p50_tokens: lengths.p50,
            p95_tokens: lengths.p95,
            max_tokens: lengths.max,
            length_width: width,
            length_counts: counts.chunks(width).map(|bar| bar.iter().sum()).collect(),
            reading: reading.unwrap_or_default(),
        }
    }
}
