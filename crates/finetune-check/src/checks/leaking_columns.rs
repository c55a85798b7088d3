//! `leaking-columns`: columns beside the text that give the label away.

use std::collections::HashMap;

use crate::checks::{Facts, percent};
use crate::finding::{Finding, Severity};
use crate::scan::columns::ColumnFacts;

/// Share of the rows whose label the values of a column have to give.
const DETERMINES: f64 = 0.995;
/// Rows per value, on average, from which on a value says something.
const ROWS_PER_VALUE: u64 = 5;
/// Largest share of one label at which there is something to give away.
const LARGEST: f64 = 0.95;

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let details: Vec<String> = facts
        .scan
        .columns
        .iter()
        .filter_map(|column| leak(facts, column))
        .collect();
    if details.is_empty() {
        return Vec::new();
    }
    let summary = "columns beside the text give the label away; do not join them to the texts, and ask whether they are known when the model is used";
    vec![Finding::of_all(
        "leaking-columns",
        Severity::Warning,
        summary,
        details,
    )]
}

/// Says how a column gives the label away, if it does.
fn leak(facts: &Facts<'_>, column: &ColumnFacts) -> Option<String> {
    let values = column.values.as_ref()?;
    let rows: u64 = values.values().flat_map(HashMap::values).sum();
    if rows < ROWS_PER_VALUE * values.len() as u64 || values.len() < 2 {
        return None;
    }
    let mut labels: HashMap<u64, u64> = HashMap::new();
    for (label, count) in values.values().flatten() {
        *labels.entry(*label).or_default() += count;
    }
    let largest = labels.values().max().copied().unwrap_or(0);
    let right: u64 = values
        .values()
        .filter_map(|counts| counts.values().max())
        .sum();
    if largest as f64 > LARGEST * rows as f64 || (right as f64) < DETERMINES * rows as f64 {
        return None;
    }
    let names = facts.single_classes();
    let is_name = |(value, counts): (&String, &HashMap<u64, u64>)| {
        counts.keys().all(|label| {
            let name = names.get(*label as usize);
            *value == label.to_string() || name.is_some_and(|name| name == value)
        })
    };
    Some(match values.iter().all(is_name) {
        true => format!("column `{}` is the label in other words", column.name),
        false => format!(
            "column `{}` has {} values, which give the label of {} of the rows",
            column.name,
            values.len(),
            percent(right, rows)
        ),
    })
}
