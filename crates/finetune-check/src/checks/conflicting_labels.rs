//! `conflicting-labels`: the same text with different labels.

use crate::checks::Facts;
use crate::finding::{EXAMPLES, ExampleRow, Finding, Severity};
use crate::scan::UNLABELLED;

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let label = |row: u32| facts.scan.row(row).label;
    let mut rows = Vec::new();
    let mut examples = Vec::new();
    let names = facts.single_classes();
    for group in facts.duplicates.groups.several() {
        let first = label(group[0]);
        let other = group.iter().find(|row| label(**row) != first);
        let Some(&other) = other.filter(|_| first != UNLABELLED) else {
            continue;
        };
        let named = |row: u32| names.get(label(row) as usize).cloned();
        examples.push(ExampleRow {
            row: other,
            other: Some(group[0]),
            note: match (named(other), named(group[0])) {
                (Some(one), Some(another)) => format!("{one} here, {another} there"),
                _ => String::new(),
            },
        });
        rows.extend_from_slice(group);
    }
    rows.sort_unstable();
    let summary = "rows have a text that another row has with another label";
    let finding = Finding::of_rows(
        "conflicting-labels",
        Severity::Warning,
        summary,
        rows,
        facts.rows(),
    );
    finding
        .map(|mut finding| {
            finding.details = vec![match examples.len() {
                1 => "of one text".to_owned(),
                texts => format!("of {texts} texts"),
            }];
            examples.truncate(EXAMPLES);
            finding.examples = examples;
            finding
        })
        .into_iter()
        .collect()
}
