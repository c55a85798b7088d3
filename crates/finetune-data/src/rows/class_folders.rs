//! Finds the texts of a data set that has one folder per class.

use std::path::{Path, PathBuf};

use crate::error::listed;
use crate::read::Format;
use crate::read::class_folders::ClassFile;
use crate::rows::discover::{canonical_split, list, natural, split_in_name};
use crate::{Note, Result};

/// The name of a split, its folder, and the texts in it.
type Found = (String, PathBuf, Vec<ClassFile>);

/// Names of folders with unlabelled texts, such as the one in Stanford's movie reviews.
const UNLABELLED: [&str; 4] = ["unsup", "unsupervised", "unlabeled", "unlabelled"];

/// Returns the splits of a directory that has one folder per class, possibly below one folder per
/// split; empty for any other directory.
pub(crate) fn class_folders(path: &Path, notes: &mut Vec<Note>) -> Result<Vec<Found>> {
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let (files, folders) = list(path)?;
    let mut splits: Vec<Found> = Vec::new();
    for folder in &folders {
        let split = canonical_split(&name(folder));
        let taken = |split| splits.iter().any(|(name, ..)| name == split);
        if let Some(split) = split.filter(|split| !taken(*split))
            && let Some(texts) = classes(folder, notes)?
        {
            splits.push((split.to_owned(), folder.clone(), texts));
        }
    }
    let other =
        |folder: &PathBuf| name(folder) == "data" || canonical_split(&name(folder)).is_some();
    // Lists of URLs and the like may lie beside the folders, but no file that names a split.
    let is_split = |file: &PathBuf| split_in_name(&Format::stem(file)).is_some();
    if splits.is_empty()
        && files.iter().all(|file| is_text(file) && !is_split(file))
        && !folders.iter().any(other)
        && let Some(texts) = classes(path, notes)?
    {
        splits.push(("train".to_owned(), path.to_path_buf(), texts));
        if let Some(file) = files.first() {
            notes.push(Note::new(format!(
                "{}: left out, because it stands beside the folders of texts",
                file.display()
            )));
        }
    }
    let rank = |split: &str| {
        ["train", "validation", "test"]
            .iter()
            .position(|s| *s == split)
    };
    splits.sort_by_key(|(split, ..)| rank(split));
    Ok(splits)
}

/// Returns the texts in the folders of a directory, if at least two of them contain only texts.
fn classes(path: &Path, notes: &mut Vec<Note>) -> Result<Option<Vec<ClassFile>>> {
    let (mut texts, mut names, mut left_out) = (Vec::new(), Vec::new(), None);
    for folder in list(path)?.1 {
        let (mut files, _) = list(&folder)?;
        if files.is_empty() || !files.iter().all(|file| is_text(file.as_path())) {
            continue;
        }
        let class = name(&folder);
        if UNLABELLED.contains(&class.to_ascii_lowercase().as_str()) {
            left_out = Some(folder);
            continue;
        }
        files.sort_by_cached_key(|file| natural(file));
        let texts_of_class = files.into_iter().map(|path| ClassFile {
            path,
            class: class.clone(),
        });
        texts.extend(texts_of_class);
        names.push(class);
    }
    if names.len() < 2 {
        return Ok(None);
    }
    notes.push(Note::new(format!(
        "{}: a text per file, with the names of the folders as labels: {}",
        path.display(),
        listed(&names, 12)
    )));
    if let Some(folder) = left_out {
        notes.push(Note::new(format!(
            "{}: left out, because the name says that its texts have no label",
            folder.display()
        )));
    }
    Ok(Some(texts))
}

fn is_text(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("txt"))
}

fn name(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str());
    name.unwrap_or_default().to_owned()
}
