//! Finds data sets that Python's `datasets` has prepared: Arrow files in
//! `OWNER___NAME/CONFIG/VERSION/COMMIT/`. On an offline machine, these are what remains of a data
//! set that was once loaded there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::remote_file::RemoteFile;

/// One prepared configuration.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub config: String,
    /// Name of the last folder, which is the commit.
    pub commit: String,
    pub dir: PathBuf,
    pub splits: Vec<(String, Vec<RemoteFile>)>,
}

/// Returns the newest preparation of each configuration, or that of a given commit.
pub(crate) fn find(cache: &Path, name: &str, commit: Option<&str>) -> Vec<Prepared> {
    let folder = match name.split_once('/') {
        Some((owner, name)) => format!("{owner}___{}", snake_case(name)),
        None => snake_case(name),
    };
    let mut found = Vec::new();
    for config in folders(&cache.join(folder)) {
        let versions = folders(&config).into_iter();
        let newest = versions
            .flat_map(|version| folders(&version))
            .filter(|dir| commit.is_none_or(|commit| file_name(dir) == commit))
            .filter_map(|dir| {
                let info = fs::metadata(dir.join("dataset_info.json")).ok()?;
                let modified = info.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                Some((modified, dir))
            })
            .max();
        let Some((_, dir)) = newest else {
            continue;
        };
        let splits = splits(&dir);
        if !splits.is_empty() {
            found.push(Prepared {
                config: file_name(&config).to_string(),
                commit: file_name(&dir).to_string(),
                dir,
                splits,
            });
        }
    }
    found
}

/// Groups files by split: `NAME-SPLIT.arrow` or `NAME-SPLIT-00000-of-00002.arrow`.
fn splits(dir: &Path) -> Vec<(String, Vec<RemoteFile>)> {
    let mut splits: Vec<(String, Vec<RemoteFile>)> = Vec::new();
    let mut names: Vec<(String, u64)> = entries(dir)
        .into_iter()
        .filter_map(|path| {
            let size = fs::metadata(&path).ok()?.len();
            Some((file_name(&path).to_string(), size))
        })
        .collect();
    names.sort();
    for (name, size) in names {
        let Some(stem) = name.strip_suffix(".arrow") else {
            continue;
        };
        let stem = match stem.rsplit_once("-of-") {
            Some((start, _)) => start.rsplit_once('-').map_or(start, |(start, _)| start),
            None => stem,
        };
        let Some((_, split)) = stem.split_once('-') else {
            continue;
        };
        let file = RemoteFile {
            path: name.clone(),
            size: Some(size),
            checksum: None,
        };
        match splits.iter_mut().find(|(found, _)| found == split) {
            Some((_, files)) => files.push(file),
            None => splits.push((split.to_string(), vec![file])),
        }
    }
    splits
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let paths = entries(dir).into_iter();
    paths.filter(|path| path.is_dir()).collect()
}

fn file_name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

/// Returns the module name that `datasets` derives from a name: `MyData2Set` becomes
/// `my_data2_set`.
fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, &c) in chars.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| chars.get(before));
        let starts_word = c.is_ascii_uppercase()
            && before.is_some_and(|&before| {
                let lower = before.is_ascii_lowercase() || before.is_ascii_digit();
                let ends_capitals = before.is_ascii_uppercase()
                    && chars.get(index + 1).is_some_and(char::is_ascii_lowercase);
                lower || ends_capitals
            });
        if starts_word {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_datasets() {
        for (name, expected) in [
            ("imdb", "imdb"),
            ("MyData2Set", "my_data2_set"),
            ("HTMLPages", "html_pages"),
            ("tweet_eval", "tweet_eval"),
        ] {
            assert_eq!(snake_case(name), expected);
        }
    }

    #[test]
    fn prepared_files_are_found_by_split() {
        let cache = tempfile::tempdir().unwrap();
        let dir = cache.path().join("acme___reviews/default/0.0.0/0123abcd");
        fs::create_dir_all(&dir).unwrap();
        for name in [
            "dataset_info.json",
            "reviews-test.arrow",
            "reviews-train-00000-of-00002.arrow",
            "reviews-train-00001-of-00002.arrow",
        ] {
            fs::write(dir.join(name), name).unwrap();
        }
        let found = find(cache.path(), "acme/reviews", None);
        let [one] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(
            (one.config.as_str(), one.commit.as_str()),
            ("default", "0123abcd")
        );
        let counts: Vec<_> = one
            .splits
            .iter()
            .map(|(split, files)| (split.as_str(), files.len()))
            .collect();
        assert_eq!(counts, [("test", 1), ("train", 2)]);
        assert!(find(cache.path(), "acme/reviews", Some("other")).is_empty());
        assert!(find(cache.path(), "acme/others", None).is_empty());
    }
}
