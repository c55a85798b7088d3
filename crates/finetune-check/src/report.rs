//! What was found, as it is reported.

use std::collections::BTreeMap;

use finetune_data::TextRow;
use serde::Serialize;

use crate::data::{Data, Role};
use crate::error::Result;
use crate::finding::{Example, ExampleRow, Finding, Location, ReportedFinding, RowNumber};
use crate::scan::Scan;
use crate::suggestions::Suggestion;

/// Characters of a text that are shown.
const SHOWN: usize = 160;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The data set as the user named it.
    pub dataset: String,
    /// The splits, and how many rows each has.
    pub splits: Vec<ReportedSplit>,
    /// The text columns.
    pub text_columns: Vec<String>,
    /// The label columns; empty if the rows are unlabelled.
    pub label_columns: Vec<String>,
    /// The names of the classes or values in order.
    pub labels: Vec<String>,
    /// Whether rows to judge or choose by are among those of an earlier split.
    pub has_leaks: bool,
    /// What was found, the worst first.
    pub findings: Vec<ReportedFinding>,
    /// Settings for training.
    pub suggestions: Vec<Suggestion>,
    /// What was not looked at, and why.
    pub not_checked: Vec<String>,
}

/// A split of a report.
#[derive(Clone, Debug, Serialize)]
pub struct ReportedSplit {
    /// What it is for.
    pub role: Role,
    /// The split expression.
    pub name: String,
    /// Number of rows that were checked.
    pub rows: u64,
    /// Number of rows of each class, in the order of the labels.
    pub classes: Vec<u64>,
}

/// Makes the report; reads the texts of the examples.
pub(crate) fn make(
    data: &Data<'_>,
    scan: &Scan,
    findings: &[Finding],
    suggestions: Vec<Suggestion>,
    not_checked: Vec<String>,
    has_leaks: bool,
) -> Result<Report> {
    let texts = texts(data, scan, findings)?;
    let splits = scan.parts.iter().zip(data.splits);
    Ok(Report {
        dataset: data.name.to_owned(),
        splits: splits
            .map(|(part, checked)| ReportedSplit {
                role: part.role,
                name: checked.split.name().to_owned(),
                rows: part.rows.len() as u64,
                classes: part.classes.clone(),
            })
            .collect(),
        text_columns: data.columns.text.clone(),
        label_columns: data.columns.label.clone(),
        labels: data
            .task
            .map_or_else(Vec::new, |task| task.names().to_vec()),
        has_leaks,
        findings: findings
            .iter()
            .map(|finding| reported(finding, scan, &texts))
            .collect(),
        suggestions,
        not_checked,
    })
}

/// Reads the texts of all examples, each file once.
fn texts(
    data: &Data<'_>,
    scan: &Scan,
    findings: &[Finding],
) -> Result<BTreeMap<RowNumber, TextRow>> {
    let examples = findings.iter().flat_map(|finding| &finding.examples);
    let mut rows: Vec<RowNumber> = examples
        .flat_map(|example| [Some(example.row), example.other])
        .flatten()
        .collect();
    rows.sort_unstable();
    rows.dedup();
    let mut texts = BTreeMap::new();
    for (part, checked) in scan.parts.iter().zip(data.splits) {
        let of_part: Vec<RowNumber> = rows
            .iter()
            .copied()
            .filter(|row| part.rows.contains(row))
            .collect();
        let indices: Vec<u64> = of_part
            .iter()
            .map(|row| u64::from(row - part.rows.start))
            .collect();
        if !indices.is_empty() {
            let found = checked.split.texts_of_rows(data.columns, &indices)?;
            texts.extend(of_part.into_iter().zip(found));
        }
    }
    Ok(texts)
}

fn reported(
    finding: &Finding,
    scan: &Scan,
    texts: &BTreeMap<RowNumber, TextRow>,
) -> ReportedFinding {
    let location = |row: RowNumber| {
        let place = &texts.get(&row)?.place;
        Some(Location {
            split: scan.role(row),
            file: place.file.display().to_string(),
            row: place.row,
            line: place.line,
        })
    };
    let text = |row: RowNumber| texts.get(&row).map(shortened);
    let example = |example: &ExampleRow| {
        Some(Example {
            row: location(example.row)?,
            text: text(example.row)?,
            other: example.other.and_then(location),
            other_text: example.other.and_then(text),
            note: example.note.clone(),
        })
    };
    ReportedFinding {
        name: finding.name,
        severity: finding.severity,
        summary: finding.summary.clone(),
        details: finding.details.clone(),
        count: finding.count,
        of: finding.of,
        examples: finding.examples.iter().filter_map(example).collect(),
    }
}

/// Returns the beginning of a row's texts on one line.
fn shortened(row: &TextRow) -> String {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = one_line(&row.first);
    if let Some(second) = &row.second {
        text = format!("{text} | {}", one_line(second));
    }
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
