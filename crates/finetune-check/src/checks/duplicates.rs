//! `exact-duplicates`, `normalised-duplicates` and `near-duplicates`: rows that their own split has already.

use crate::checks::{
    Facts,
    links::{Wording, findings},
    percent,
};
use crate::duplicates::Link;
use crate::finding::{Finding, Severity};

const WORDING: Wording = Wording {
    names: [
        "exact-duplicates",
        "normalised-duplicates",
        "near-duplicates",
    ],
    severity: Severity::Warning,
    earlier: "an earlier row of their split",
};

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    findings(facts, &facts.duplicates.within, &WORDING, |links| {
        details(facts, links)
    })
}

/// Says how many rows of each split there are.
fn details(facts: &Facts<'_>, links: &[&Link]) -> Vec<String> {
    let details = facts.scan.parts.iter().filter_map(|part| {
        let links = links.iter();
        let count = links.filter(|link| part.rows.contains(&link.row)).count() as u64;
        let share = percent(count, part.rows.len() as u64);
        (count > 0).then(|| format!("{}: {count} ({share})", part.role.name()))
    });
    details.collect()
}
