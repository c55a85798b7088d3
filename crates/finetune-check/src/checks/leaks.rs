//! `exact-leaks`, `normalised-leaks` and `near-leaks`: rows to judge or choose by that are among those of an
//! earlier split.

use crate::checks::{Facts, duplicates::examples, percent};
use crate::duplicates::{Likeness, Link};
use crate::finding::{Finding, Severity};

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    [Likeness::Exact, Likeness::Normalised, Likeness::Near]
        .into_iter()
        .filter_map(|likeness| finding(facts, likeness))
        .collect()
}

fn finding(facts: &Facts<'_>, likeness: Likeness) -> Option<Finding> {
    let between = facts.duplicates.between.iter();
    let links: Vec<&Link> = between.filter(|link| link.likeness == likeness).collect();
    let (name, summary) = match likeness {
        Likeness::Exact => (
            "exact-leaks",
            "rows have the text of a row of another split".to_owned(),
        ),
        Likeness::Normalised => (
            "normalised-leaks",
            "rows have the text of a row of another split but for case, blanks or forms of characters".to_owned(),
        ),
        Likeness::Near => (
            "near-leaks",
            format!(
                "rows have {:.0} % or more of the words, in order, of a row of another split",
                100.0 * facts.similarity
            ),
        ),
    };
    let mut rows: Vec<u32> = links.iter().map(|link| link.row).collect();
    rows.dedup();
    let mut finding = Finding::of_rows(name, Severity::Error, summary, rows, facts.rows())?;
    let parts = &facts.scan.parts;
    for part in parts {
        for earlier in parts.iter().filter(|earlier| earlier.role < part.role) {
            let of_both =
                |link: &&&Link| part.rows.contains(&link.row) && earlier.rows.contains(&link.other);
            let count = links.iter().filter(of_both).count() as u64;
            if count > 0 {
                finding.details.push(format!(
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
    finding.examples = examples(&links);
    Some(finding)
}
