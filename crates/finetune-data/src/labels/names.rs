//! Notes on suspicious class names: ones that look alike, several in one cell, too many.

use std::collections::{BTreeMap, HashMap};

use tokenizers::NormalizedString;

use crate::Note;
use crate::error::Place;
use crate::labels::facts::Scalars;

/// With fewer rows than this, no number of classes counts as too many.
const ROWS: u64 = 20;

/// Maximum number of names in a message.
const SHOWN: usize = 6;

/// Notes classes that differ only in case, blanks or invisible characters, and names with blanks or
/// invisible characters that would go unnoticed.
pub(crate) fn look_alike(names: &[String], files: &[&Scalars]) -> Vec<Note> {
    let mut groups: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for name in names {
        groups.entry(folded(name)).or_default().push(name);
    }
    let mut notes = Vec::new();
    for group in groups.values().filter(|group| group.len() > 1).take(SHOWN) {
        let shown: Vec<_> = group.iter().map(|name| with_place(name, files)).collect();
        notes.push(Note::new(format!(
            "classes that differ only in case, blanks or invisible characters: {}; write them alike if they are one class",
            shown.join(", ")
        )));
    }
    let odd = |name: &&&String| name.trim() != name.as_str() || name.chars().any(invisible);
    let alone = groups.values().filter(|group| group.len() == 1).flatten();
    let alone: Vec<_> = alone
        .filter(odd)
        .map(|name| with_place(name, files))
        .collect();
    if !alone.is_empty() {
        notes.push(Note::new(format!(
            "blanks or invisible characters are part of the class{} {}",
            if alone.len() == 1 { "" } else { "es" },
            crate::error::listed(&alone, SHOWN)
        )));
    }
    notes
}

/// Reduces a name to what it looks like at a glance.
fn folded(name: &str) -> String {
    let mut name = NormalizedString::from(name);
    name.nfc();
    let visible: String = name
        .get()
        .chars()
        .filter(|&c| !invisible(c) || c.is_whitespace())
        .collect();
    let words: Vec<_> = visible.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// Returns whether a character is neither visible nor a plain space: other whitespace, zero-width
/// characters, and combining marks, which look like a precomposed letter.
fn invisible(c: char) -> bool {
    (c.is_whitespace() && c != ' ')
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Quotes a name, with its invisible characters escaped.
pub(crate) fn visible(name: &str) -> String {
    let mut shown = String::from("\"");
    for c in name.chars() {
        match invisible(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown + "\""
}

fn with_place(name: &str, files: &[&Scalars]) -> String {
    match first_place(name, files) {
        Some(place) => format!("{} ({place})", visible(name)),
        None => visible(name),
    }
}

fn first_place<'a>(name: &str, files: &[&'a Scalars]) -> Option<&'a Place> {
    files.iter().find_map(|file| {
        let seen = file.words.get(name).or_else(|| file.numerals.get(name));
        seen.map(|seen| &seen.first)
    })
}

/// Notes a class that looks like several classes joined by a separator, one of which is also a
/// class by itself or part of other such classes.
pub(crate) fn separators(names: &[String], files: &[&Scalars]) -> Option<Note> {
    [';', '|', ','].into_iter().find_map(|separator| {
        let parts = |name: &'_ String| -> Vec<String> {
            let parts = name.split(separator).map(str::trim);
            parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let several: Vec<_> = names.iter().filter(|name| parts(name).len() > 1).collect();
        let mut uses: HashMap<String, usize> = HashMap::new();
        for part in several.iter().flat_map(|name| parts(name)) {
            *uses.entry(part).or_default() += 1;
        }
        let composed = several.into_iter().find(|name| {
            let parts = parts(name);
            parts.iter().any(|part| names.contains(part)) || parts.iter().all(|part| uses[part] > 1)
        })?;
        Some(Note::new(format!(
            "the class {} looks like several in one cell; if it is, say --label-separator '{separator}'",
            with_place(composed, files)
        )))
    })
}

/// Notes labels most of which are distinct and so are hardly labels.
pub(crate) fn too_many(column: &str, rows: u64, classes: usize) -> Option<Note> {
    (rows >= ROWS && 2 * classes as u64 > rows).then(|| {
        Note::new(format!(
            "{classes} classes in {rows} rows: is `{column}` the label column? Name another with --label-column"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_a_glance() {
        let same = [
            "Caf\u{e9} noir",
            "cafe\u{301} noir ",
            " CAF\u{c9}\u{a0}noir",
            "caf\u{e9} no\u{200b}ir",
        ];
        for name in same {
            assert_eq!(folded(name), "caf\u{e9} noir", "{}", visible(name));
        }
        assert_eq!(visible("a\u{a0}b é"), "\"a\\u{a0}b é\"");
        assert_eq!(visible("e\u{301}"), "\"e\\u{301}\"");
    }

    #[test]
    fn several_in_one_cell() {
        let note = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            separators(&names, &[]).map(|note| note.to_string())
        };
        assert!(
            note(&["anger", "anger;joy", "joy"])
                .unwrap()
                .contains("--label-separator ';'")
        );
        assert!(note(&["a|b", "b|c", "c|a"]).unwrap().contains("'|'"));
        assert_eq!(note(&["World, sports", "Science, technology"]), None);
        assert_eq!(note(&["a", "b"]), None);
    }
}
