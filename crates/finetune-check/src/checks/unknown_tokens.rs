//! `unknown-tokens`: characters and words that the tokenizer has no token for.

use crate::checks::{Facts, percent};
use crate::finding::{EXAMPLES, ExampleRow, Finding, Severity};

/// Share of the tokens from which on it matters.
const MATTERS: f64 = 0.005;

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(tokens) = facts.tokens.filter(|tokens| tokens.has_unknown) else {
        return Vec::new();
    };
    let mut rows: Vec<(u32, u32)> = tokens
        .rows
        .iter()
        .filter(|(_, _, unknown)| *unknown > 0)
        .map(|(row, _, unknown)| (*row, *unknown))
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let all: u64 = tokens
        .rows
        .iter()
        .map(|(_, length, _)| u64::from(*length))
        .sum();
    let unknown: u64 = rows.iter().map(|(_, unknown)| u64::from(*unknown)).sum();
    let severity = match unknown as f64 > MATTERS * all as f64 {
        true => Severity::Warning,
        false => Severity::Info,
    };
    let count = rows.len() as u64;
    rows.sort_by_key(|(row, unknown)| (std::cmp::Reverse(*unknown), *row));
    let finding = Finding::of_all(
        "unknown-tokens",
        severity,
        "texts have tokens that the vocabulary does not know, which all look the same to the model",
        vec![format!(
            "{} of all tokens{}",
            percent(unknown, all),
            tokens.sample()
        )],
    );
    let example = |(row, unknown): &(u32, u32)| ExampleRow {
        note: format!("{unknown} unknown tokens"),
        ..ExampleRow::of(*row)
    };
    vec![Finding {
        count,
        of: tokens.rows.len() as u64,
        examples: rows.iter().take(EXAMPLES).map(example).collect(),
        ..finding
    }]
}
