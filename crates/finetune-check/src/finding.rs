//! What a check found.

use serde::Serialize;

use crate::data::Role;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// It probably makes the model or its evaluation worse.
    Warning,
    /// Results would be wrong.
    Error,
}

impl Severity {
    /// Returns the name of the severity.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Rows of all splits are numbered through: those of the first split, then those of the next.
pub(crate) type RowNumber = u32;

/// What a check found, with row numbers in place of texts.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    /// One sentence that says what was found, without numbers of rows.
    pub(crate) summary: String,
    /// What else there is to say, a line each.
    pub(crate) details: Vec<String>,
    /// Number of rows that it concerns, of all that were looked at.
    pub(crate) count: u64,
    pub(crate) of: u64,
    /// The rows to show as examples.
    pub(crate) examples: Vec<ExampleRow>,
    /// All rows that it concerns, if they can be removed one by one.
    pub(crate) rows: Vec<RowNumber>,
}

impl Finding {
    /// Creates a finding about single rows, all of which can be removed, and of which the first are the
    /// examples.
    pub(crate) fn of_rows(
        name: &'static str,
        severity: Severity,
        summary: impl Into<String>,
        rows: Vec<RowNumber>,
        of: u64,
    ) -> Option<Self> {
        (!rows.is_empty()).then(|| Self {
            name,
            severity,
            summary: summary.into(),
            details: Vec::new(),
            count: rows.len() as u64,
            of,
            examples: rows
                .iter()
                .take(EXAMPLES)
                .map(|row| ExampleRow::of(*row))
                .collect(),
            rows,
        })
    }

    /// Creates a finding that is about no single row.
    pub(crate) fn of_all(
        name: &'static str,
        severity: Severity,
        summary: impl Into<String>,
        details: Vec<String>,
    ) -> Self {
        Self {
            name,
            severity,
            summary: summary.into(),
            details,
            count: 0,
            of: 0,
            examples: Vec::new(),
            rows: Vec::new(),
        }
    }
}

/// Number of examples of a finding.
pub(crate) const EXAMPLES: usize = 5;

/// A row to show as an example.
#[derive(Clone, Debug)]
pub(crate) struct ExampleRow {
    pub(crate) row: RowNumber,
    /// The row that it is like.
    pub(crate) other: Option<RowNumber>,
    /// What to say of it.
    pub(crate) note: String,
}

impl ExampleRow {
    pub(crate) fn of(row: RowNumber) -> Self {
        Self {
            row,
            other: None,
            note: String::new(),
        }
    }
}

/// A finding as it is reported.
#[derive(Clone, Debug, Serialize)]
pub struct ReportedFinding {
    /// Its stable name.
    pub name: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence that says what was found.
    pub summary: String,
    /// What else there is to say, a line each.
    pub details: Vec<String>,
    /// Number of rows that it concerns; 0 if it is about no single row.
    pub count: u64,
    /// Number of rows that were looked at; 0 if it is about no single row.
    pub of: u64,
    /// The first rows that it concerns, or the worst.
    pub examples: Vec<Example>,
}

/// A row as an example of a finding.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// The row.
    pub row: Location,
    /// Its text, shortened; the texts of a pair are joined by ` | `.
    pub text: String,
    /// The row that it is like.
    pub other: Option<Location>,
    /// The text of that row, shortened.
    pub other_text: Option<String>,
    /// What to say of it, such as its label; may be empty.
    pub note: String,
}

/// Where a row is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The split.
    pub split: Role,
    /// The file.
    pub file: String,
    /// Row in this file, from 0.
    pub row: u64,
    /// Line in the file, from 1, where the format has lines.
    pub line: Option<u64>,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}, row {}", self.split.name(), self.file, self.row)?;
        match self.line {
            Some(line) => write!(f, " (line {line})"),
            None => Ok(()),
        }
    }
}
