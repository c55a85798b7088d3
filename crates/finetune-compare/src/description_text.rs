//! The text of a description, with the places of its keys.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A key with its value and the place of the key, in bytes.
#[derive(Debug)]
pub struct Entry<'a, 'i> {
    /// The key.
    pub key: &'a str,
    /// Its place.
    pub span: Range<usize>,
    /// Its value.
    pub value: &'a DeValue<'i>,
}

/// Returns the entries of a table in the order of the file.
pub fn entries<'a, 'i>(table: &'a DeTable<'i>) -> Vec<Entry<'a, 'i>> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref(),
            span: key.span(),
            value: value.get_ref(),
        })
        .collect();
    entries.sort_by_key(|entry| entry.span.start);
    entries
}

/// Adds the line of a place in `text` to a message.
pub fn at(text: &str, span: &Range<usize>, problem: &str) -> String {
    let before = text.get(..span.start).unwrap_or_default();
    format!("line {}: {problem}", before.matches('\n').count() + 1)
}

/// Says that a key is none of `known`, with the nearest one, or else with `advice`.
pub fn unknown(key: &str, known: &[&str], advice: &str) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::jaro_winkler(name, key), name))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let advice = match nearest {
        Some((_, name)) => format!("did you mean {name}?"),
        None => format!("expected one of {}{advice}", known.join(", ")),
    };
    format!("unknown key `{key}`; {advice}")
}
