//! Finds the files of each split behind a path, directory or glob.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{listed, nearest};
use crate::read::Format;
use crate::read::regular_file::regular_file;
use crate::{Error, Note, Result};

/// Returns the files of each split, with the splits in the order train, validation, test, others by
/// name.
pub(crate) fn discover(path: &str, notes: &mut Vec<Note>) -> Result<Vec<(String, Vec<PathBuf>)>> {
    let as_path = Path::new(path);
    if as_path.is_file() {
        return Ok(vec![("train".to_owned(), vec![as_path.to_path_buf()])]);
    }
    if as_path.is_dir() {
        return directory(as_path, notes);
    }
    if path.contains(['*', '?', '[']) {
        let files = expand(path)?;
        if files.is_empty() {
            return Err(no_data_files(as_path));
        }
        return group(files, Shards::AsGiven, notes);
    }
    if as_path.exists() {
        regular_file(as_path)?;
    }
    Err(Error::NotFound {
        path: as_path.to_path_buf(),
        hint: hint(as_path),
    })
}

/// Returns the canonical name of a split, `train`, `validation` or `test`, for the aliases of
/// `datasets`.
pub(crate) fn canonical_split(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "train" | "training" => "train",
        "validation" | "valid" | "val" | "dev" => "validation",
        "test" | "testing" | "eval" | "evaluation" => "test",
        _ => return None,
    })
}

/// Finds the split of this name; failing that, the one with the canonical name for which this is an
/// alias; failing that, the only other alias of the same name: `validation` finds `dev`.
pub fn find_split<'a>(names: &[&'a str], wanted: &str) -> Option<&'a str> {
    let exact = |wanted: &str| names.iter().copied().find(|name| *name == wanted);
    exact(wanted).or_else(|| {
        let canonical = canonical_split(wanted)?;
        let alias = |name: &&str| canonical_split(name) == Some(canonical);
        let mut aliases = names.iter().copied().filter(alias);
        exact(canonical).or_else(|| aliases.next().filter(|_| aliases.next().is_none()))
    })
}

/// Returns the split to use for `train`, `validation` or `test` if the user named none: that of
/// [`find_split`] or else the first of several such as `validation_matched` and
/// `validation_mismatched`.
pub fn default_split<'a>(names: &[&'a str], role: &str) -> Option<&'a str> {
    let of_several = || {
        let mut names = names.iter().copied();
        names.find(|name| split_in_name(name) == Some(role))
    };
    find_split(names, role).or_else(of_several)
}

fn no_data_files(path: &Path) -> Error {
    Error::NoDataFiles {
        path: path.to_path_buf(),
        expected: Format::EXTENSIONS.to_owned(),
    }
}

fn expand(pattern: &str) -> Result<Vec<PathBuf>> {
    let paths = glob::glob(pattern).map_err(|e| Error::Glob {
        pattern: pattern.to_owned(),
        message: e.to_string(),
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|e| {
            let failed = e.path().to_path_buf();
            Error::io(&failed, "read", e.into())
        })?;
        if is_data_file(&path) {
            files.push(path);
        }
    }
    Ok(files)
}

/// Finds the data files of a directory, or else of its folder `data`, or else of its folders named
/// after splits.
fn directory(path: &Path, notes: &mut Vec<Note>) -> Result<Vec<(String, Vec<PathBuf>)>> {
    let (files, folders) = list(path)?;
    if !files.is_empty() {
        for folder in &folders {
            let name = folder.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| canonical_split(name).is_some()) {
                notes.push(Note::new(format!(
                    "{}: not read, because there are data files beside this folder",
                    folder.display()
                )));
            }
        }
        return group(files, Shards::Complete, notes);
    }
    let data = path.join("data");
    if data.is_dir() {
        return directory(&data, notes);
    }
    let mut splits = Vec::new();
    for folder in &folders {
        let name = folder
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        // Spark names a folder of part files like a file: `train.csv`.
        let stem = match Format::of(folder) {
            Some(_) => Format::stem(folder),
            None => name.to_owned(),
        };
        let Some(split) = canonical_split(&stem) else {
            continue;
        };
        let mut files = below(folder)?;
        files.sort_by_cached_key(|file| natural(file));
        if !files.is_empty() {
            add(&mut splits, split.to_owned(), files)?;
        }
    }
    if !splits.is_empty() {
        return Ok(ordered(splits));
    }
    // Look further down if the choice is unambiguous.
    let mut inner = Vec::new();
    for folder in folders {
        if !below(&folder)?.is_empty() {
            inner.push(folder);
        }
    }
    match &inner[..] {
        [] => Err(no_data_files(path)),
        [only] => {
            notes.push(Note::new(format!(
                "{}: the data are taken from its folder {}",
                path.display(),
                only.display()
            )));
            directory(only, notes)
        }
        several => {
            let names: Vec<_> = several.iter().map(|f| f.display().to_string()).collect();
            Err(Error::SeveralFolders {
                path: path.to_path_buf(),
                folders: listed(&names, 5),
            })
        }
    }
}

/// Returns the data files of a folder and of the folders below it.
fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, folders) = list(folder)?;
    for folder in folders {
        let name = folder.file_name().and_then(|name| name.to_str());
        // The column values in such names are not in the files.
        if name.is_some_and(|name| name.contains('=')) {
            return Err(Error::Corrupt {
                path: folder,
                format: "data",
                message: "it is a partition, whose name holds the value of a column; that is not read: write the rows with all columns in the files".to_owned(),
            });
        }
        files.extend(below(&folder)?);
    }
    Ok(files)
}

/// Returns the data files and folders of a directory, without hidden and temporary ones.
pub(crate) fn list(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let error = |e| Error::io(path, "list", e);
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(path).map_err(error)? {
        let entry = entry.map_err(error)?.path();
        if is_data_file(&entry) {
            files.push(entry);
        } else if entry.is_dir() && !is_hidden(&entry) {
            folders.push(entry);
        } else if has_data_name(&entry) && entry.exists() {
            regular_file(&entry)?;
        }
    }
    folders.sort();
    Ok((files, folders))
}

/// Whether the name of an existing file says that it holds rows in a format that this crate reads.
pub fn is_data_file(path: &Path) -> bool {
    has_data_name(path) && path.is_file()
}

fn has_data_name(path: &Path) -> bool {
    // Files that `datasets` writes beside the data.
    const METADATA: [&str; 6] = [
        "config.json",
        "dataset_dict.json",
        "dataset_info.json",
        "dataset_infos.json",
        "state.json",
        "requirements.txt",
    ];
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    let readme = Path::new(name)
        .file_stem()
        .is_some_and(|s| s.eq_ignore_ascii_case("readme") || s.eq_ignore_ascii_case("license"));
    !is_hidden(path) && !METADATA.contains(&name) && !readme && Format::of(path).is_some()
}

/// Returns whether a file is hidden, temporary, or a marker of Spark's (`_SUCCESS`).
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or_default();
    ['.', '_', '~', '#']
        .iter()
        .any(|mark| name.starts_with(*mark))
}

#[derive(Clone, Copy, PartialEq)]
enum Shards {
    /// A directory must hold every shard that the names promise.
    Complete,
    /// A glob may select only some of them.
    AsGiven,
}

fn group(
    mut files: Vec<PathBuf>,
    shards: Shards,
    notes: &mut Vec<Note>,
) -> Result<Vec<(String, Vec<PathBuf>)>> {
    files.sort_by_cached_key(|file| natural(file));
    let named = files
        .iter()
        .any(|file| split_in_name(&Format::stem(file)).is_some());
    let mut series: BTreeMap<(String, Option<u8>), Vec<PathBuf>> = BTreeMap::new();
    for file in files {
        let base = shard(&Format::stem(&file)).0;
        // CSV and Parquet files of the same name are two versions of the data, not two shards.
        let format = Format::of(&file).map(|format| format as u8);
        series.entry((base, format)).or_default().push(file);
    }
    if shards == Shards::Complete {
        series.values().try_for_each(|files| complete(files))?;
    }
    let parts = series.iter().filter(|((base, _), _)| base == PART);
    for files in parts
        .map(|(_, files)| files)
        .filter(|files| files.len() > 1)
    {
        notes.push(Note::new(format!(
            "{} and {} are read as one file",
            files[0].display(),
            match files.len() - 1 {
                1 => "the 1 other part".to_owned(),
                others => format!("the {others} other parts"),
            }
        )));
    }
    // Several files for one role, such as two validation sets, become splits under their own names.
    let bases: Vec<String> = series.keys().map(|(base, _)| base.clone()).collect();
    let is_one_of_several = |base: &str, split: &str| {
        canonical_split(base).is_none()
            && bases
                .iter()
                .any(|other| other != base && split_in_name(other) == Some(split))
            && bases.iter().filter(|other| *other == base).count() == 1
    };
    let mut splits = Vec::new();
    let one_series = series.len() == 1;
    let has_test = series
        .keys()
        .any(|(base, _)| base.eq_ignore_ascii_case("test"));
    for ((base, _), files) in series {
        let split = match split_in_name(&base) {
            // `datasets` reads `eval` as test; beside an actual test file it can only mean
            // validation.
            Some("test") if has_test && base.to_ascii_lowercase().starts_with("eval") => {
                "validation".to_owned()
            }
            Some(split) if is_one_of_several(&base, split) => base,
            Some(split) => split.to_owned(),
            None if one_series || (!named && shards == Shards::AsGiven) => "train".to_owned(),
            None => base,
        };
        if split == "train" && !named {
            match splits.iter_mut().find(|(name, _)| name == "train") {
                Some((_, all)) => Vec::extend(all, files),
                None => splits.push((split, files)),
            }
        } else {
            add(&mut splits, split, files)?;
        }
    }
    Ok(ordered(splits))
}

fn add(splits: &mut Vec<(String, Vec<PathBuf>)>, split: String, files: Vec<PathBuf>) -> Result<()> {
    if let Some((_, others)) = splits.iter().find(|(name, _)| *name == split) {
        let name = |f: &PathBuf| f.display().to_string();
        let files: Vec<_> = others
            .iter()
            .take(2)
            .chain(files.iter().take(2))
            .map(name)
            .collect();
        return Err(Error::AmbiguousSplit {
            split,
            files: files.join(", "),
        });
    }
    splits.push((split, files));
    Ok(())
}

fn ordered(mut splits: Vec<(String, Vec<PathBuf>)>) -> Vec<(String, Vec<PathBuf>)> {
    let rank = |name: &str| {
        ["train", "validation", "test"]
            .iter()
            .position(|n| *n == name)
            .unwrap_or(3)
    };
    splits.sort_by(|(a, _), (b, _)| (rank(a), a).cmp(&(rank(b), b)));
    splits
}

fn complete(files: &[PathBuf]) -> Result<()> {
    for file in files {
        if let Some(count) = shard(&Format::stem(file)).1
            && count != files.len() as u64
        {
            return Err(Error::Corrupt {
                path: file.clone(),
                format: "shard",
                message: format!(
                    "the name promises {count} shards, but {} are here; add the others, or choose with a glob",
                    files.len()
                ),
            });
        }
    }
    Ok(())
}

/// Returns the one split whose name occurs as a word in a file name: `my-train-v2` is train.
pub(crate) fn split_in_name(stem: &str) -> Option<&'static str> {
    let words = stem
        .split(|c: char| !c.is_alphabetic())
        .filter_map(canonical_split);
    let mut found = None;
    for split in words {
        if found.is_some_and(|other| other != split) {
            return None;
        }
        found = Some(split);
    }
    found
}

/// Common prefix of the names of Spark's part files.
const PART: &str = "part";

/// Splits `train-00000-of-00002` into `train` and the number of shards; `train_01` into `train`.
fn shard(stem: &str) -> (String, Option<u64>) {
    // Spark writes `part-00000-UUID-c000`, where every part may have a UUID of its own.
    let number = stem
        .strip_prefix("part-")
        .and_then(|rest| rest.split(['-', '.']).next());
    if number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
        return (PART.to_owned(), None);
    }
    if let Some((front, back)) = stem.rsplit_once("-of-") {
        // Older file names carry a hash after the count.
        let count = back.split('-').next().and_then(|n| n.parse().ok());
        if let (Some(count), Some((base, index))) = (count, front.rsplit_once('-'))
            && index.bytes().all(|b| b.is_ascii_digit())
        {
            return (base.to_owned(), Some(count));
        }
    }
    let base = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let trimmed = base.trim_end_matches(['-', '_', '.']);
    let base = if base.len() == stem.len() {
        stem
    } else {
        trimmed
    };
    (base.to_owned(), None)
}

/// Returns a sort key by which shard 10 follows shard 9.
pub(crate) fn natural(path: &Path) -> (String, Vec<u64>) {
    let name = path.to_string_lossy();
    let numbers = name
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .collect();
    (name.replace(|c: char| c.is_ascii_digit(), ""), numbers)
}

/// Suggests files with similar names: `; did you mean …?`.
fn hint(path: &Path) -> String {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !parent.is_dir() {
        return format!("; the directory {} does not exist either", parent.display());
    }
    let wanted = path
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    let names: Vec<String> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    nearest(wanted, &names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splits(names: &[&str], shards: Shards) -> Result<Vec<(String, Vec<String>)>> {
        let files = names.iter().map(PathBuf::from).collect();
        let name = |p: PathBuf| p.to_string_lossy().into_owned();
        let groups = group(files, shards, &mut Vec::new())?.into_iter();
        Ok(groups
            .map(|(s, f)| (s, f.into_iter().map(name).collect()))
            .collect())
    }

    fn names(names: &[&str], shards: Shards) -> Vec<String> {
        splits(names, shards)
            .unwrap()
            .into_iter()
            .map(|(split, _)| split)
            .collect()
    }

    #[test]
    fn aliases_and_order() {
        let dir = Shards::Complete;
        assert_eq!(
            names(&["test.csv", "dev.csv", "train.csv"], dir),
            ["train", "validation", "test"]
        );
        assert_eq!(
            names(&["eval.csv", "test.csv", "train.csv"], dir),
            ["train", "validation", "test"]
        );
        assert_eq!(names(&["eval.csv", "train.csv"], dir), ["train", "test"]);
        assert_eq!(
            names(&["my-train-v2.csv", "x_valid.csv"], dir),
            ["train", "validation"]
        );
        assert_eq!(
            names(&["train.csv", "unsupervised.csv"], dir),
            ["train", "unsupervised"]
        );
        assert_eq!(
            names(
                &[
                    "train.csv",
                    "validation_matched.csv",
                    "validation_mismatched.csv"
                ],
                dir
            ),
            ["train", "validation_matched", "validation_mismatched"]
        );
        assert_eq!(
            names(&["dev.csv", "dev_hard.csv", "train.csv.gz"], dir),
            ["train", "validation", "dev_hard"]
        );
        assert_eq!(
            names(
                &["part-00000-6f1c2a7e-c000.csv", "part-00001-7a-c000.csv"],
                dir
            ),
            ["train"]
        );
        assert_eq!(names(&["reviews.csv"], dir), ["train"]);
        assert_eq!(names(&["a.csv", "b.csv"], dir), ["a", "b"]);
        assert_eq!(names(&["a.csv", "b.csv"], Shards::AsGiven), ["train"]);
    }

    #[test]
    fn shards_in_order_and_complete() {
        let found = splits(
            &["t/train-10.csv", "t/train-9.csv", "t/test.csv"],
            Shards::Complete,
        )
        .unwrap();
        assert_eq!(found[0].1, ["t/train-9.csv", "t/train-10.csv"]);
        let two = [
            "train-00000-of-00002.parquet",
            "train-00001-of-00002.parquet",
        ];
        assert_eq!(splits(&two, Shards::Complete).unwrap()[0].1.len(), 2);
        let error = splits(&two[..1], Shards::Complete).unwrap_err().to_string();
        assert!(error.contains("promises 2 shards, but 1"), "{error}");
        assert_eq!(names(&two[..1], Shards::AsGiven), ["train"]);
        assert_eq!(
            names(&["0000.parquet", "0001.parquet"], Shards::Complete),
            ["train"]
        );
    }

    #[test]
    fn two_candidates_for_one_split() {
        for pair in [
            ["train.csv", "train.parquet"],
            ["dev.csv", "validation.csv"],
        ] {
            let error = splits(&pair, Shards::Complete).unwrap_err();
            assert!(matches!(error, Error::AmbiguousSplit { .. }), "{error}");
        }
    }
}
