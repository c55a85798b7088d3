//! Writes the data without what was found.

pub(crate) mod plan;
pub(crate) mod write;

use crate::data::Role;

/// The findings whose rows can be removed.
pub const REMOVABLE: [&str; 16] = [
    "exact-leaks",
    "normalised-leaks",
    "near-leaks",
    "exact-duplicates",
    "normalised-duplicates",
    "near-duplicates",
    "conflicting-labels",
    "empty-texts",
    "texts-without-letters",
    "mojibake",
    "replacement-characters",
    "control-characters",
    "html-entities",
    "html-tags",
    "overlong-texts",
    "mislabelled",
];

/// The findings whose rows are removed unless the user chooses others: those whose rows teach or tell
/// nothing, whatever the task.
pub const CLEANED_BY_DEFAULT: [&str; 8] = [
    "exact-leaks",
    "normalised-leaks",
    "near-leaks",
    "exact-duplicates",
    "normalised-duplicates",
    "near-duplicates",
    "conflicting-labels",
    "empty-texts",
];

/// The file in which every removed row has a line, a JSON object. Its extension is none of those of data.
pub const LOG: &str = "removed.log";

/// What was written of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanedSplit {
    /// What it is for, which is the name of its file.
    pub role: Role,
    /// Number of rows that were kept.
    pub kept: u64,
    /// Number of rows that were removed.
    pub removed: u64,
}
