//! `truncation`: what is lost where rows are cut.

use crate::checks::{Facts, percent};
use crate::finding::{EXAMPLES, ExampleRow, Finding, Severity};

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(tokens) = facts.tokens else {
        return Vec::new();
    };
    let limit = tokens.max_length as u32;
    let mut cut: Vec<(u32, u32)> = tokens
        .rows
        .iter()
        .filter(|(_, length, _)| *length > limit)
        .map(|(row, length, _)| (*row, *length))
        .collect();
    if cut.is_empty() {
        return Vec::new();
    }
    let all: u64 = tokens
        .rows
        .iter()
        .map(|(_, length, _)| u64::from(*length))
        .sum();
    let lost: u64 = cut
        .iter()
        .map(|(_, length)| u64::from(length - limit))
        .sum();
    let (count, of) = (cut.len() as u64, tokens.rows.len() as u64);
    let severity = match lost as f64 > 0.05 * all as f64 {
        true => Severity::Warning,
        false => Severity::Info,
    };
    let quantiles = [0.5, 0.9, 0.99, 1.0].map(|share| tokens.quantile(share).to_string());
    let [median, ninety, most, longest] = quantiles;
    cut.sort_by_key(|(row, length)| (std::cmp::Reverse(*length), *row));
    let finding = Finding::of_all(
        "truncation",
        severity,
        format!("texts are longer than {limit} tokens and are cut there"),
        vec![
            format!(
                "{} of all tokens are lost{}",
                percent(lost, all),
                tokens.sample()
            ),
            format!(
                "half of the texts have up to {median} tokens, 90 % up to {ninety}, 99 % up to {most}; the longest has {longest}"
            ),
        ],
    );
    let example = |(row, length): &(u32, u32)| ExampleRow {
        note: format!("{length} tokens"),
        ..ExampleRow::of(*row)
    };
    vec![Finding {
        count,
        of,
        examples: cut.iter().take(EXAMPLES).map(example).collect(),
        ..finding
    }]
}
