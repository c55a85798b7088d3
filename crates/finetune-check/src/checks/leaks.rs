//! `exact-leaks`, `normalised-leaks` and `near-leaks`: rows to judge or choose by that are among those of an
//! earlier split.

use crate::checks::{
    Facts,
    links::{Wording, findings},
    percent,
};
use crate::duplicates::Link;
use crate::finding::{Finding, Severity};

const WORDING: Wording = Wording {
    names: ["exact-leaks", "normalised-leaks", "near-leaks"],
    severity: Severity::Error,
    earlier: "a row of another split",
};

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    findings(facts, &facts.duplicates.between, &WORDING, |links| {
        details(facts, links)
    })
}

/// Says how many rows of each split are like one of which earlier split.
fn details(facts: &Facts<'_>, links: &[&Link]) -> Vec<String> {
    let parts = &facts.scan.parts;
    let mut details = Vec::new();
    for part in parts {
        for earlier in parts.iter().filter(|earlier| earlier.role < part.role) {
            let of_both =
                |link: &&&Link| part.rows.contains(&link.row) && earlier.rows.contains(&link.other);
            let count = links.iter().filter(of_both).count() as u64;
            if count > 0 {
                details.push(format!(
                    "{} of the {} rows of {} ({}) are like a row of {}",
                    count,
                    part.rows.len(),
                    part.role.name(),
                    percent(count, part.rows.len() as u64),
                    earlier.role.name()
                ));
            }
        }
    }
    details
}
