//! `truncation`: what is lost where rows are cut.

use crate::checks::{Facts, percent};
use crate::finding::{Finding, Severity};

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(tokens) = facts.tokens else {
        return Vec::new();
    };
    let limit = tokens.max_length as u32;
    let cut = tokens.greatest_first(|length, _| (length > limit).then_some(length));
    if cut.is_empty() {
        return Vec::new();
    }
    let all = tokens.total();
    let lost: u64 = cut
        .iter()
        .map(|(_, length)| u64::from(length - limit))
        .sum();
    let severity = match lost as f64 > 0.05 * all as f64 {
        true => Severity::Warning,
        false => Severity::Info,
    };
    let quantiles = [0.5, 0.9, 0.99, 1.0].map(|share| tokens.quantile(share).to_string());
    let [median, ninety, most, longest] = quantiles;
    let finding = Finding::of_all(
        "truncation",
        severity,
        format!("texts are longer than {limit} tokens and are cut there"),
        vec![
            format!(
                "{} of all tokens are lost{}",
                percent(lost, all),
                tokens.sample()
            ),
            format!(
                "half of the texts have up to {median} tokens, 90 % up to {ninety}, 99 % up to {most}; the longest has {longest}"
            ),
        ],
    );
    vec![tokens.with_rows(finding, &cut, |length| format!("{length} tokens"))]
}
