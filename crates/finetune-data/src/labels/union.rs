//! Merges the classes of several files into one list.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use crate::error::{Place, listed};
use crate::labels::facts::Scalars;
use crate::{Error, Note, Result, labels_argument};

/// What one file calls its classes.
pub(crate) enum Classes<'a> {
    /// The `ClassLabel` names of its metadata, by index.
    Named(&'a [String]),
    /// `false` and `true`.
    Bool,
    /// Texts.
    Texts(&'a Scalars),
    /// Integers, or floats that are whole numbers.
    Integers(&'a Scalars),
}

/// A file and its classes.
pub(crate) struct FileClasses<'a> {
    pub(crate) file: &'a Path,
    pub(crate) classes: Classes<'a>,
}

impl FileClasses<'_> {
    /// Describes what the file holds, for a message.
    pub(crate) fn describe(&self) -> String {
        let file = self.file.display();
        match &self.classes {
            Classes::Named(names) => format!(
                "{file} has class names in its metadata ({})",
                listed(names, 12)
            ),
            Classes::Bool => format!("{file} has booleans"),
            Classes::Texts(scalars) => {
                let names: Vec<_> = scalars.words.keys().collect();
                format!("{file} has names ({})", listed(&names, 12))
            }
            Classes::Integers(scalars) => {
                let found: BTreeSet<_> = scalars.all_integers().map(|(value, _)| value).collect();
                let found: Vec<_> = found.iter().map(i64::to_string).collect();
                format!("{file} has the integers {}", listed(&found, 12))
            }
        }
    }

    /// Returns the names of the classes in order, each with the place of its first occurrence.
    fn names(&self) -> Vec<(String, Option<Place>)> {
        match &self.classes {
            Classes::Named(names) => names.iter().map(|name| (name.clone(), None)).collect(),
            Classes::Bool => ["false", "true"].map(|name| (name.into(), None)).into(),
            Classes::Texts(scalars) => {
                let mut names: Vec<_> = scalars.names().collect();
                names.sort_unstable_by_key(|(name, _)| *name);
                let name = |(name, seen): (&str, &crate::labels::facts::Seen)| {
                    (name.to_owned(), Some(seen.first.clone()))
                };
                names.into_iter().map(name).collect()
            }
            Classes::Integers(scalars) => {
                let integers = scalars.all_integers();
                let name = |(value, seen): (i64, &crate::labels::facts::Seen)| {
                    (value.to_string(), Some(seen.first.clone()))
                };
                integers.map(name).collect()
            }
        }
    }
}

/// Merges the classes of all files in the order of the files: those in metadata in their own order
/// and, at the first file of texts, the texts of all files, sorted.
///
/// # Errors
/// Fails for integers in one file that are not names in another, and for booleans beside other
/// names, because it is unclear which class they mean. The message names both files.
pub(crate) fn union(files: &[FileClasses<'_>], column: &str) -> Result<(Vec<String>, Vec<Note>)> {
    let has_names =
        |file: &&FileClasses<'_>| !matches!(file.classes, Classes::Integers(_) | Classes::Bool);
    let Some(named) = files.iter().find(has_names) else {
        return without_names(files, column);
    };
    let mut names: Vec<String> = Vec::new();
    let mut known = HashSet::new();
    let mut add = |names: &mut Vec<String>, name: String| {
        if known.insert(name.clone()) {
            names.push(name);
        }
    };
    let texts = files
        .iter()
        .filter(|file| matches!(file.classes, Classes::Texts(_)));
    let mut texts: BTreeSet<String> = texts
        .flat_map(FileClasses::names)
        .map(|(name, _)| name)
        .collect();
    for file in files {
        if let Classes::Named(list) = &file.classes {
            let mut own = HashSet::new();
            if let Some(name) = list.iter().find(|name| !own.insert(*name)) {
                return Err(Error::Classes {
                    message: format!(
                        "{}: the metadata has the class {name:?} of column `{column}` twice; write the file with a name for each class",
                        file.file.display()
                    ),
                });
            }
        }
        match &file.classes {
            Classes::Named(list) => list.iter().for_each(|name| add(&mut names, name.clone())),
            Classes::Texts(_) => {
                let texts = std::mem::take(&mut texts);
                texts.into_iter().for_each(|name| add(&mut names, name));
            }
            Classes::Bool | Classes::Integers(_) => {}
        }
    }
    for file in files.iter().filter(|file| !has_names(file)) {
        let only_booleans = || names.iter().all(|name| is_boolean(name));
        let fits = match file.classes {
            // `True` in a table is the `true` of JSON.
            Classes::Bool => only_booleans(),
            _ => file.names().iter().all(|(name, _)| names.contains(name)),
        };
        if !fits {
            return Err(conflict(file, named, &names, column));
        }
    }
    let notes = different_lists(files, column);
    Ok((names, notes.into_iter().collect()))
}

/// Merges the classes of files without names: integers or booleans.
fn without_names(files: &[FileClasses<'_>], column: &str) -> Result<(Vec<String>, Vec<Note>)> {
    let bools = files
        .iter()
        .find(|file| matches!(file.classes, Classes::Bool));
    let others = files
        .iter()
        .find(|file| !matches!(file.classes, Classes::Bool));
    match (bools, others) {
        (Some(bools), Some(others)) => {
            let names = ["false".to_owned(), "true".to_owned()];
            Err(conflict(others, bools, &names, column))
        }
        (Some(bools), None) => Ok((
            bools.names().into_iter().map(|(name, _)| name).collect(),
            vec![],
        )),
        (None, _) => {
            let all = files.iter().flat_map(FileClasses::names);
            let all: BTreeSet<i64> = all.filter_map(|(name, _)| name.parse().ok()).collect();
            Ok((all.iter().map(i64::to_string).collect(), vec![]))
        }
    }
}

/// Returns whether a name is `false` or `true`, ignoring case.
pub(crate) fn is_boolean(name: &str) -> bool {
    name.eq_ignore_ascii_case("true") || name.eq_ignore_ascii_case("false")
}

fn conflict(
    file: &FileClasses<'_>,
    named: &FileClasses<'_>,
    names: &[String],
    column: &str,
) -> Error {
    let place = file.names().into_iter().find_map(|(_, place)| place);
    let place = place.map_or(String::new(), |place| format!(", first in {place}"));
    let way_out = match labels_argument(names) {
        Some(typed) => {
            format!("if the first stand for the names in this order, say so with --labels {typed}")
        }
        None => "write the names in both".into(),
    };
    Error::Classes {
        message: format!(
            "the labels in column `{column}` do not fit together: {}{place}, but {}; {way_out}",
            file.describe(),
            named.describe(),
        ),
    }
}

/// Notes that the metadata of two files names other classes, or the same in another order.
fn different_lists(files: &[FileClasses<'_>], column: &str) -> Option<Note> {
    let mut lists = files.iter().filter_map(|file| match file.classes {
        Classes::Named(names) => Some((file.file, names)),
        _ => None,
    });
    let (first, names) = lists.next()?;
    let (other, others) = lists.find(|(_, others)| *others != names)?;
    Some(Note::new(format!(
        "column `{column}` has the classes {} in {} and {} in {}; each file's labels are read by its own names",
        listed(names, 12),
        first.display(),
        listed(others, 12),
        other.display()
    )))
}
