//! `identifiers-as-text`: a text column that holds identifiers.

use crate::checks::{Facts, percent};
use crate::finding::{Finding, Severity};

/// Share of the rows from which on the column is taken for one of identifiers.
const MOST: f64 = 0.9;

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let rows = facts.scan.rows_that(|row| row.is_identifier);
    let share = rows.len() as f64 / facts.rows() as f64;
    if share < MOST {
        return Vec::new();
    }
    let summary = format!(
        "texts in column `{}` are single words with digits, as identifiers are; name another column with --text-column",
        facts.data.columns.text.join("`, `")
    );
    let finding = Finding::of_rows(
        "identifiers-as-text",
        Severity::Error,
        summary,
        rows,
        facts.rows(),
    );
    finding
        .map(|mut finding| {
            finding.details = vec![percent(finding.count, finding.of)];
            finding.rows.clear();
            finding
        })
        .into_iter()
        .collect()
}
