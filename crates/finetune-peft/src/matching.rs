//! Which modules a configuration means: peft's rules.

use fancy_regex::Regex;
use serde::{Deserialize, Serialize};

use crate::PeftError;

/// Names or a pattern of modules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Targets {
    /// A regular expression that the whole name must match, or `all-linear`.
    Pattern(String),
    /// Whole names, or their last parts.
    Names(Vec<String>),
}

impl Targets {
    /// peft's shorthand for every linear layer but the classifier.
    pub const ALL_LINEAR: &str = "all-linear";

    /// Whether this is the shorthand `all-linear`.
    pub fn is_all_linear(&self) -> bool {
        matches!(self, Self::Pattern(pattern) if pattern.eq_ignore_ascii_case(Self::ALL_LINEAR))
    }

    /// A function that tells whether a module's dotted name is meant.
    pub(crate) fn matcher(&self, key: &str) -> Result<Matcher<'_>, PeftError> {
        match self {
            Self::Names(names) => Ok(Matcher::Names(names)),
            Self::Pattern(pattern) => Ok(Matcher::Pattern(full_match(pattern, key)?)),
        }
    }
}

impl std::fmt::Display for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pattern(pattern) => write!(f, "\"{pattern}\""),
            Self::Names(names) => write!(f, "{names:?}"),
        }
    }
}

/// [`Targets`] with their pattern compiled.
pub(crate) enum Matcher<'a> {
    Names(&'a [String]),
    Pattern(Regex),
}

impl Matcher<'_> {
    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|end| ends_with_part(name, end)),
            Self::Pattern(regex) => regex.is_match(name).unwrap_or(false),
        }
    }
}

/// Whether `name` is `end` or ends in `.end`.
fn ends_with_part(name: &str, end: &str) -> bool {
    name.strip_suffix(end)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// A regular expression for the whole name.
fn full_match(pattern: &str, key: &str) -> Result<Regex, PeftError> {
    regex(&format!("^(?:{pattern})$"), pattern, key)
}

/// peft's patterns of `rank_pattern` and `alpha_pattern`: the end of a name, at a dot.
pub(crate) fn end_match(pattern: &str, key: &str) -> Result<Regex, PeftError> {
    regex(&format!(r"^(.*\.)?({pattern})$"), pattern, key)
}

fn regex(full: &str, pattern: &str, key: &str) -> Result<Regex, PeftError> {
    Regex::new(full).map_err(|error| {
        PeftError::config(
            key,
            format!("\"{pattern}\" is not a regular expression: {error}"),
        )
    })
}

/// The number of the layer that a module belongs to: what stands after the last list's name, as
/// peft finds it with and without `layers_pattern`.
pub(crate) fn layer_number(name: &str, lists: &[String]) -> Option<usize> {
    let parts: Vec<&str> = name.split('.').collect();
    // `.*\.LIST\.(\d+)\.`: something before the list and something after the number.
    (1..parts.len().saturating_sub(2)).rev().find_map(|at| {
        let named = lists.is_empty() || lists.iter().any(|list| list == parts[at]);
        match named {
            true => parts[at + 1].parse().ok(),
            false => None,
        }
    })
}

/// The names nearest to what was written, for a message.
pub(crate) fn nearest(wanted: &[&str], names: &[&str]) -> String {
    let distance = |name: &str| {
        let leaf = name.rsplit('.').next().unwrap_or(name);
        let scores = wanted.iter().map(|wanted| {
            let whole = strsim::jaro_winkler(wanted, name);
            strsim::jaro_winkler(wanted, leaf).max(whole)
        });
        scores.fold(0.0, f64::max)
    };
    let mut scored: Vec<_> = names.iter().map(|name| (distance(name), *name)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut shown: Vec<&str> = Vec::new();
    for (_, name) in scored {
        let leaf = name.rsplit('.').next().unwrap_or(name);
        if !shown.contains(&leaf) {
            shown.push(leaf);
        }
        if shown.len() == 5 {
            break;
        }
    }
    shown.join(", ")
}
