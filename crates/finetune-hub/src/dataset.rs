//! Data sets by name: what was found of one, and its files.

use std::path::{Path, PathBuf};

use crate::card_csv::CsvSettings;
use crate::files::Source;
use crate::name::{looks_like_a_path, refusal};
use crate::remote_file::RemoteFile;
use crate::repository::Repository;

/// A data set whose splits and files are known; they have yet to be [fetched].
///
/// [fetched]: crate::Hub::fetch_dataset
#[derive(Clone, Debug)]
pub struct FoundDataset {
    pub(crate) repository: Repository,
    /// The commit whose files these are.
    pub(crate) commit: String,
    pub(crate) config: String,
    pub(crate) splits: Vec<(String, Vec<RemoteFile>)>,
    pub(crate) class_names: Vec<(String, Vec<String>)>,
    pub(crate) csv: CsvSettings,
    /// Folder in which the files are, or will be.
    pub(crate) dir: PathBuf,
    /// Whether what is not there can be had from the hub.
    pub(crate) is_on_hub: bool,
}

impl FoundDataset {
    /// The name, as it was asked for or as the cache has it.
    pub fn name(&self) -> &str {
        &self.repository.name
    }

    /// The commit: with it, the same files are found again.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// The configuration; `default` where there is no choice.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// Names of the splits.
    pub fn split_names(&self) -> Vec<&str> {
        self.splits.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Columns of classes with their names, in order, where the data set's card has them.
    pub fn class_names(&self) -> &[(String, Vec<String>)] {
        &self.class_names
    }

    /// How the CSV files are written, as far as the data set's card says it.
    pub fn csv(&self) -> &CsvSettings {
        &self.csv
    }
}

/// Files of a data set that are all here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFiles {
    /// Whether some were downloaded now.
    pub source: Source,
    /// The files of each split that was asked for, in order.
    pub splits: Vec<(String, Vec<PathBuf>)>,
}

/// Whether a name that is no path on this machine can be that of a data set on the hub: `name` or
/// `owner/name`, and not the name of a file (`reviews.csv`).
pub fn is_dataset_name(name: &str) -> bool {
    const FILES: [&str; 14] = [
        "arrow", "csv", "feather", "gz", "ipc", "json", "jsonl", "ndjson", "parquet", "tsv", "txt",
        "toml", "zip", "zst",
    ];
    let ending = Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str());
    let ending = ending.map(str::to_ascii_lowercase);
    let is_file = ending.is_some_and(|ending| FILES.contains(&ending.as_str()));
    refusal(name).is_none() && !looks_like_a_path(name) && !is_file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_paths() {
        for name in ["imdb", "glue", "stanfordnlp/imdb", "a/b.v1", "tweet_eval"] {
            assert!(is_dataset_name(name), "{name}");
        }
        for path in [
            "reviews.csv",
            "data/train.parquet",
            "./imdb",
            "/data/imdb",
            "~/imdb",
            "a/b/c",
            "imdb/",
            "shards/*.parquet",
            "a b",
            "",
            "C:\\x",
            "train.JSONL",
            "rows.csv.gz",
        ] {
            assert!(!is_dataset_name(path), "{path}");
        }
    }
}
