//! The checks. Each is a function in a file of its own, and a line in [`ALL`].

pub(crate) mod class_balance;
mod conflicting_labels;
mod duplicates;
mod identifiers;
mod incomplete_rows;
mod label_drift;
mod label_names;
mod languages;
mod leaking_columns;
mod leaks;
mod links;
mod mislabelled;
mod overlong_texts;
mod text_faults;
mod truncation;
mod unknown_tokens;

use crate::data::Data;
use crate::duplicates::Duplicates;
use crate::finding::Finding;
use crate::mislabelled::Suspicion;
use crate::scan::Scan;
use crate::tokens::Tokens;

/// What the checks look at.
pub(crate) struct Facts<'a> {
    pub(crate) data: &'a Data<'a>,
    pub(crate) scan: &'a Scan,
    pub(crate) duplicates: &'a Duplicates,
    /// Words in common from which on texts are near duplicates.
    pub(crate) similarity: f64,
    pub(crate) tokens: Option<&'a Tokens>,
    pub(crate) suspicion: Option<&'a Suspicion>,
}

impl Facts<'_> {
    /// Returns the number of rows.
    fn rows(&self) -> u64 {
        self.scan.rows.len() as u64
    }

    /// Returns the names of the classes; empty if rows have none, or several.
    pub(crate) fn single_classes(&self) -> &[String] {
        match self.data.task {
            Some(finetune_task::Task::Classes(names)) => names,
            _ => &[],
        }
    }
}

/// A check of some kind.
pub(crate) type Check = fn(&Facts<'_>) -> Vec<Finding>;

/// All checks, in the order in which their findings are reported within a severity.
pub(crate) const ALL: [Check; 15] = [
    leaks::check,
    leaking_columns::check,
    identifiers::check,
    conflicting_labels::check,
    duplicates::check,
    incomplete_rows::check,
    text_faults::check,
    overlong_texts::check,
    label_names::check,
    label_drift::check,
    class_balance::check,
    mislabelled::check,
    languages::check,
    truncation::check,
    unknown_tokens::check,
];

/// Formats a share as a percentage.
pub(crate) fn percent(part: u64, all: u64) -> String {
    let share = 100.0 * part as f64 / all.max(1) as f64;
    match share {
        0.0 => "0 %".into(),
        share if share < 0.1 => format!("{share:.2} %"),
        share if share < 10.0 => format!("{share:.1} %"),
        share => format!("{share:.0} %"),
    }
}
