//! `exact-duplicates`, `normalised-duplicates` and `near-duplicates`: rows that their own split has already.

use crate::checks::{Facts, percent};
use crate::duplicates::{Likeness, Link};
use crate::finding::{EXAMPLES, ExampleRow, Finding, Severity};

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    [Likeness::Exact, Likeness::Normalised, Likeness::Near]
        .into_iter()
        .filter_map(|likeness| finding(facts, likeness))
        .collect()
}

fn finding(facts: &Facts<'_>, likeness: Likeness) -> Option<Finding> {
    let within = facts.duplicates.within.iter();
    let links: Vec<&Link> = within.filter(|link| link.likeness == likeness).collect();
    let (name, summary) = match likeness {
        Likeness::Exact => (
            "exact-duplicates",
            "rows have the text of an earlier row of their split".to_owned(),
        ),
        Likeness::Normalised => (
            "normalised-duplicates",
            "rows have the text of an earlier row of their split but for case, blanks or forms of characters".to_owned(),
        ),
        Likeness::Near => (
            "near-duplicates",
            format!(
                "rows have {:.0} % or more of the words, in order, of an earlier row of their split",
                100.0 * facts.similarity
            ),
        ),
    };
    let rows = links.iter().map(|link| link.row).collect();
    let mut finding = Finding::of_rows(name, Severity::Warning, summary, rows, facts.rows())?;
    finding.details = facts
        .scan
        .parts
        .iter()
        .filter_map(|part| {
            let count = links
                .iter()
                .filter(|link| part.rows.contains(&link.row))
                .count();
            let rows = part.rows.len() as u64;
            (count > 0).then(|| {
                format!(
                    "{}: {count} ({})",
                    part.role.name(),
                    percent(count as u64, rows)
                )
            })
        })
        .collect();
    finding.examples = examples(&links);
    Some(finding)
}

/// Returns the first links as examples, with their similarity where there is one to tell.
pub(crate) fn examples(links: &[&Link]) -> Vec<ExampleRow> {
    let examples = links.iter().take(EXAMPLES).map(|link| ExampleRow {
        row: link.row,
        other: Some(link.other),
        note: match link.likeness {
            Likeness::Near => format!("{:.0} % of the words", 100.0 * link.similarity),
            Likeness::Exact | Likeness::Normalised => String::new(),
        },
    });
    examples.collect()
}
