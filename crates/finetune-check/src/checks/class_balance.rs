//! `class-balance`: classes with far fewer training rows than others.

use crate::checks::{Facts, percent};
use crate::finding::{Finding, Severity};

/// Times that the largest class may have the rows of the smallest before it is told, and before it matters.
pub(crate) const TOLD: u64 = 3;
const MATTERS: u64 = 10;
/// Rows of a class below which it is hard to learn.
const FEW: u64 = 10;
/// Classes that are listed.
const LISTED: usize = 12;

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let names = facts.data.task.map_or(&[][..], |task| task.class_names());
    let Some(part) = facts.scan.parts.first().filter(|_| names.len() > 1) else {
        return Vec::new();
    };
    let (Some(least), Some(most)) = (part.classes.iter().min(), part.classes.iter().max()) else {
        return Vec::new();
    };
    if *most < TOLD * (*least).max(1) && *least >= FEW {
        return Vec::new();
    }
    let rows: u64 = part.classes.iter().sum();
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|class| (part.classes[*class], *class));
    let listed = order.iter().take(LISTED).map(|class| {
        let count = part.classes[*class];
        format!(
            "`{}`: {count} rows ({})",
            names[*class],
            percent(count, rows)
        )
    });
    let mut details: Vec<String> = listed.collect();
    match names.len().saturating_sub(LISTED) {
        0 => {}
        more => details.push(format!("and {more} larger classes")),
    }
    let severity = match *most >= MATTERS * (*least).max(1) || *least < FEW {
        true => Severity::Warning,
        false => Severity::Info,
    };
    let summary = match least {
        0 => "a class has no training row, so that it cannot be learned".to_owned(),
        least if *most < TOLD * least => {
            format!("the smallest class has {least} training rows, which are few to learn from")
        }
        least => format!(
            "the largest class has {:.1} times the training rows of the smallest; look at macro F1 and the table of classes rather than at accuracy",
            *most as f64 / *least as f64
        ),
    };
    vec![Finding::of_all("class-balance", severity, summary, details)]
}
