//! `incomplete-rows`: rows that lack a text or a label.

use crate::checks::Facts;
use crate::finding::{Finding, Severity};

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut details = Vec::new();
    let (mut count, mut of) = (0, 0);
    for checked in facts.data.splits {
        of += checked.split.len();
        let Some(incomplete) = &checked.incomplete else {
            continue;
        };
        count += incomplete.rows;
        details.push(format!(
            "{}: {}, the first of them {}, which has no {}",
            checked.role.name(),
            incomplete.rows,
            incomplete.first,
            incomplete.lacks
        ));
    }
    if count == 0 {
        return Vec::new();
    }
    let summary = "rows lack a text or a label, and are left out of everything else here";
    let finding = Finding::of_all("incomplete-rows", Severity::Warning, summary, details);
    vec![Finding {
        count,
        of: of + count,
        ..finding
    }]
}
