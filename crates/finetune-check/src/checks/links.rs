//! What `duplicates` and `leaks` share: a finding per likeness of rows with earlier ones.

use crate::checks::Facts;
use crate::duplicates::{Likeness, Link};
use crate::finding::{EXAMPLES, ExampleRow, Finding, Severity};

/// What is said of rows that are like earlier ones.
pub(super) struct Wording {
    /// Names of the findings: for exact, normalised and near likeness.
    pub(super) names: [&'static str; 3],
    pub(super) severity: Severity,
    /// What the rows are like.
    pub(super) earlier: &'static str,
}

/// Returns a finding for each likeness that occurs in `links`, with its details.
pub(super) fn findings(
    facts: &Facts<'_>,
    links: &[Link],
    wording: &Wording,
    details: impl Fn(&[&Link]) -> Vec<String>,
) -> Vec<Finding> {
    let likenesses = [Likeness::Exact, Likeness::Normalised, Likeness::Near];
    let named = likenesses.into_iter().zip(wording.names);
    let found = named.filter_map(|(likeness, name)| {
        let links: Vec<&Link> = links
            .iter()
            .filter(|link| link.likeness == likeness)
            .collect();
        let mut rows: Vec<u32> = links.iter().map(|link| link.row).collect();
        rows.dedup();
        let summary = summary(likeness, wording.earlier, facts.similarity);
        let finding = Finding::of_rows(name, wording.severity, summary, rows, facts.rows())?;
        Some(Finding {
            details: details(&links),
            examples: examples(&links),
            ..finding
        })
    });
    found.collect()
}

fn summary(likeness: Likeness, earlier: &str, similarity: f64) -> String {
    match likeness {
        Likeness::Exact => format!("rows have the text of {earlier}"),
        Likeness::Normalised => {
            format!("rows have the text of {earlier} but for case, blanks or forms of characters")
        }
        Likeness::Near => format!(
            "rows have {:.0} % or more of the words, in order, of {earlier}",
            100.0 * similarity
        ),
    }
}

/// Returns the first links as examples, with their similarity where there is one to tell.
fn examples(links: &[&Link]) -> Vec<ExampleRow> {
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
