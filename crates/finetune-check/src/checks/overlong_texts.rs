//! `overlong-texts`: texts so much longer than the others that they are probably several rows in one.

use crate::checks::Facts;
use crate::finding::{ExampleRow, Finding, Severity};

/// Times the median length, and characters, from which on a text is overlong.
const TIMES: u32 = 50;
const CHARACTERS: u32 = 5_000;

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut lengths: Vec<u32> = facts.scan.rows.iter().map(|row| row.characters).collect();
    let middle = lengths.len() / 2;
    let median = match lengths.is_empty() {
        true => 0,
        false => *lengths.select_nth_unstable(middle).1,
    };
    let limit = median.saturating_mul(TIMES).max(CHARACTERS);
    let mut rows = facts.scan.rows_that(|row| row.characters > limit);
    rows.sort_by_key(|row| std::cmp::Reverse(facts.scan.row(*row).characters));
    let summary = format!(
        "texts are more than {TIMES} times as long as the median of {median} characters, as if a quote were never closed"
    );
    let finding = Finding::of_rows(
        "overlong-texts",
        Severity::Warning,
        summary,
        rows,
        facts.rows(),
    );
    finding
        .map(|mut finding| {
            for ExampleRow { row, note, .. } in &mut finding.examples {
                *note = format!("{} characters", facts.scan.row(*row).characters);
            }
            finding
        })
        .into_iter()
        .collect()
}
