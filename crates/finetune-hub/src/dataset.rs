//! Data sets found by name, and their files.

use std::path::{Path, PathBuf};

use crate::card_csv::CsvSettings;
use crate::files::Source;
use crate::name::{looks_like_a_path, refusal};
use crate::remote_file::RemoteFile;
use crate::repository::Repository;

/// A data set whose splits and files are known but have yet to be [fetched].
///
/// [fetched]: crate::Hub::fetch_dataset
#[derive(Clone, Debug)]
pub struct FoundDataset {
    pub(crate) repository: Repository,
    /// The commit to which the files belong.
    pub(crate) commit: String,
    pub(crate) config: String,
    pub(crate) splits: Vec<(String, Vec<RemoteFile>)>,
    pub(crate) class_names: Vec<(String, Vec<String>)>,
    pub(crate) csv: CsvSettings,
    /// Folder in which the files are or will be.
    pub(crate) dir: PathBuf,
    /// Whether missing files can be downloaded from the hub.
    pub(crate) is_on_hub: bool,
}

impl FoundDataset {
    /// Returns the name, as requested or as found in the cache.
    pub fn name(&self) -> &str {
        &self.repository.name
    }

    /// Returns the commit, with which the same files are found again.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Returns the configuration; `default` if there is no choice.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// Returns the names of the splits.
    pub fn split_names(&self) -> Vec<&str> {
        self.splits.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Returns columns of classes with their class names in order, if the dataset card declares
    /// them.
    pub fn class_names(&self) -> &[(String, Vec<String>)] {
        &self.class_names
    }

    /// Returns the CSV options of the dataset card.
    pub fn csv(&self) -> &CsvSettings {
        &self.csv
    }
}

/// The files of a data set, all of them on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFiles {
    /// Whether some of them were downloaded now.
    pub source: Source,
    /// The files of each requested split, in order.
    pub splits: Vec<(String, Vec<PathBuf>)>,
}

/// Returns whether a name that is not a path on this machine can be that of a data set on the hub:
/// `name` or `owner/name`, but not a file name such as `reviews.csv`.
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
