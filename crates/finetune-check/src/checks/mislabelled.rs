//! `mislabelled`: labels that are probably wrong.

use crate::checks::Facts;
use crate::finding::{EXAMPLES, ExampleRow, Finding, Severity};

/// Share of the way from the largest class alone to always right that the built-in classifier has to go
/// before its opinion on labels is told.
const LEARNED: f64 = 0.2;

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(suspicion) = facts.suspicion else {
        return Vec::new();
    };
    let names = facts.single_classes();
    let accuracy = format!("right on {:.1} % of the rows", 100.0 * suspicion.accuracy);
    let learned = suspicion.accuracy - suspicion.largest > LEARNED * (1.0 - suspicion.largest);
    if suspicion.given.is_none() && !learned {
        return Vec::new();
    }
    let by = match &suspicion.given {
        Some(path) => format!("the probabilities in {}, {accuracy}", path.display()),
        None => format!(
            "a small classifier of words and pairs of words, each row by one that did not see its text, {accuracy}"
        ),
    };
    let rows = suspicion
        .suspects
        .iter()
        .map(|suspect| suspect.row)
        .collect();
    let of = suspicion.rows.len() as u64;
    let summary = "labels are probably wrong; look at the worst first, since a part of them is right and hard";
    let finding = Finding::of_rows("mislabelled", Severity::Info, summary, rows, of);
    finding
        .map(|mut finding| {
            finding.details = vec![format!("by {by}")];
            let worst = suspicion
                .suspects
                .iter()
                .take(2 * EXAMPLES)
                .map(|suspect| ExampleRow {
                    note: format!(
                        "{}, rather {} (margin {:.2})",
                        names[suspect.label as usize],
                        names[suspect.instead as usize],
                        suspect.margin
                    ),
                    ..ExampleRow::of(suspect.row)
                });
            finding.examples = worst.collect();
            finding
        })
        .into_iter()
        .collect()
}
