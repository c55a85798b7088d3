//! Matches module names against a configuration by peft's rules.

use fancy_regex::Regex;
use serde::{Deserialize, Serialize};

use crate::PeftError;

/// Modules, given by a list of names or a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Targets {
    /// A regular expression that the whole name must match, or `all-linear`.
    Pattern(String),
    /// Whole names or their last parts.
    Names(Vec<String>),
}

impl Targets {
    /// peft's shorthand for all linear layers except the classifier.
    pub const ALL_LINEAR: &str = "all-linear";

    /// Returns whether this is the shorthand `all-linear`.
    pub fn is_all_linear(&self) -> bool {
        matches!(self, Self::Pattern(pattern) if pattern.eq_ignore_ascii_case(Self::ALL_LINEAR))
    }

    /// Compiles the targets to match modules' dotted names; `key` is named in errors.
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

/// [`Targets`] with a compiled pattern.
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

/// Returns whether `name` is `end` or ends in `.end`.
fn ends_with_part(name: &str, end: &str) -> bool {
    name.strip_suffix(end)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Compiles a regular expression that matches the whole name.
fn full_match(pattern: &str, key: &str) -> Result<Regex, PeftError> {
    regex(&format!("^(?:{pattern})$"), pattern, key)
}

/// Compiles a pattern of `rank_pattern` or `alpha_pattern`, which matches the end of a name from a dot
/// on.
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

/// Returns the index of the layer that contains a module: the number after the last of the `lists`'
/// names, or after any name without `lists` (peft's `layers_pattern`).
pub(crate) fn layer_number(name: &str, lists: &[String]) -> Option<usize> {
    let parts: Vec<&str> = name.split('.').collect();
    // peft's `.*\.LIST\.(\d+)\.` needs something before the list and something after the number.
    (1..parts.len().saturating_sub(2)).rev().find_map(|at| {
        let named = lists.is_empty() || lists.iter().any(|list| list == parts[at]);
        match named {
            true => parts[at + 1].parse().ok(),
            false => None,
        }
    })
}

/// Lists the last parts of the names most similar to `wanted`, for a message.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_whole_parts_at_the_end() {
        let targets = Targets::Names(vec!["query".into(), "output.dense".into()]);
        let matcher = targets.matcher("target_modules").unwrap();
        for (name, expected) in [
            ("query", true),
            ("layer.0.query", true),
            ("layer.0.subquery", false),
            ("query.0", false),
            ("layer.0.attention.output.dense", true),
            ("layer.0.intermediate.dense", false),
        ] {
            assert_eq!(matcher.matches(name), expected, "{name}");
        }
    }

    #[test]
    fn a_pattern_matches_the_whole_name() {
        let targets = Targets::Pattern("layer\\.[01]\\.(query|key)".into());
        let matcher = targets.matcher("target_modules").unwrap();
        for (name, expected) in [
            ("layer.0.query", true),
            ("layer.1.key", true),
            ("layer.2.key", false),
            ("bert.layer.0.query", false),
            ("layer.0.query.base", false),
        ] {
            assert_eq!(matcher.matches(name), expected, "{name}");
        }
        let broken = Targets::Pattern("(".into());
        let error = broken.matcher("exclude_modules").err().unwrap().to_string();
        assert!(
            error.starts_with("exclude_modules: \"(\" is not"),
            "{error}"
        );
    }

    #[test]
    fn rank_patterns_match_the_end_from_a_dot() {
        let regex = end_match("0\\.query|key", "rank_pattern").unwrap();
        for (name, expected) in [
            ("layer.0.query", true),
            ("layer.10.query", false),
            ("layer.3.key", true),
            ("monkey", false),
            ("key", true),
        ] {
            assert_eq!(regex.is_match(name).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn layers_are_numbered_by_the_last_list() {
        let lists = |names: &[&str]| {
            names
                .iter()
                .map(|name| name.to_string())
                .collect::<Vec<_>>()
        };
        for (name, names, expected) in [
            ("bert.encoder.layer.3.output.dense", &[][..], Some(3)),
            ("bert.encoder.layer.3.output.dense", &["layer"][..], Some(3)),
            ("bert.encoder.layer.3.output.dense", &["blocks"][..], None),
            ("a.groups.1.layer.2.query", &[][..], Some(2)),
            ("a.groups.1.layer.2.query", &["groups"][..], Some(1)),
            ("bert.pooler.dense", &[][..], None),
            ("layer.3.query", &[][..], None),
        ] {
            assert_eq!(layer_number(name, &lists(names)), expected, "{name}");
        }
    }

    #[test]
    fn all_linear_is_a_shorthand_in_any_case() {
        assert!(Targets::Pattern("All-Linear".into()).is_all_linear());
        assert!(!Targets::Pattern("all.linear".into()).is_all_linear());
        assert!(!Targets::Names(vec!["all-linear".into()]).is_all_linear());
    }

    #[test]
    fn the_nearest_names_come_first_and_once() {
        let names = [
            "layer.0.key",
            "layer.1.query",
            "layer.0.query",
            "classifier",
        ];
        assert_eq!(nearest(&["qeury"], &names), "query, key, classifier");
    }
}
