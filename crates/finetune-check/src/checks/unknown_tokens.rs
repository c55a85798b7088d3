//! `unknown-tokens`: characters and words that the tokenizer has no token for.

use crate::checks::{Facts, percent};
use crate::finding::{Finding, Severity};

/// Share of the tokens from which on it matters.
const MATTERS: f64 = 0.005;

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(tokens) = facts.tokens.filter(|tokens| tokens.has_unknown) else {
        return Vec::new();
    };
    let rows = tokens.greatest_first(|_, unknown| (unknown > 0).then_some(unknown));
    if rows.is_empty() {
        return Vec::new();
    }
    let all = tokens.total();
    let unknown: u64 = rows.iter().map(|(_, unknown)| u64::from(*unknown)).sum();
    let severity = match unknown as f64 > MATTERS * all as f64 {
        true => Severity::Warning,
        false => Severity::Info,
    };
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
    vec![tokens.with_rows(finding, &rows, |unknown| {
        format!("{unknown} unknown tokens")
    })]
}
