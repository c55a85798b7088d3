//! `mixed-languages`: texts of another language than most.

use std::collections::BTreeMap;

use crate::checks::{Facts, percent};
use crate::finding::{EXAMPLES, ExampleRow, Finding, Severity};

/// Texts whose language is certain, below which nothing is said.
const FEWEST: u64 = 20;
/// Share of a language below which a few texts may well be mistakes of the detector.
const MISTAKES: f64 = 0.002;

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut counts: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for language in facts.scan.rows.iter().filter_map(|row| row.language) {
        counts
            .entry(language.code())
            .or_insert((0, language.eng_name()))
            .0 += 1;
    }
    let certain: u64 = counts.values().map(|(count, _)| count).sum();
    let mut order: Vec<(&str, (u64, &str))> = counts.into_iter().collect();
    order.sort_by_key(|(code, (count, _))| (std::cmp::Reverse(*count), *code));
    let Some(((main, _), others)) = order.split_first().filter(|_| certain >= FEWEST) else {
        return Vec::new();
    };
    let others: Vec<_> = others
        .iter()
        .filter(|(_, (count, _))| *count as f64 >= MISTAKES * certain as f64)
        .collect();
    let rows = facts.scan.rows_that(|row| {
        let code = row.language.map(|language| language.code());
        others.iter().any(|(other, _)| code == Some(*other))
    });
    let found: u64 = rows.len() as u64;
    let summary = format!(
        "texts are in another language than the most common one, {}, as far as that is certain; a model of one language learns little from the others",
        order[0].1.1
    );
    let severity = match found as f64 > 0.01 * certain as f64 {
        true => Severity::Warning,
        false => Severity::Info,
    };
    debug_assert_eq!(order[0].0, *main);
    let finding = Finding::of_rows("mixed-languages", severity, summary, rows, certain);
    finding
        .map(|mut finding| {
            finding.details = order
                .iter()
                .filter(|(_, (count, _))| *count as f64 >= MISTAKES * certain as f64)
                .map(|(_, (count, name))| {
                    format!("{name}: {count} texts ({})", percent(*count, certain))
                })
                .collect();
            finding.details.push(format!(
                "of {} texts the language is not certain, most of them short",
                facts.rows() - certain
            ));
            finding.examples.truncate(EXAMPLES);
            for ExampleRow { row, note, .. } in &mut finding.examples {
                *note = facts
                    .scan
                    .row(*row)
                    .language
                    .map_or("", |language| language.eng_name())
                    .to_owned();
            }
            finding
        })
        .into_iter()
        .collect()
}
