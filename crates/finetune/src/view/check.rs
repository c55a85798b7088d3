//! The report of `finetune check` in the terminal.

use std::fmt::Write as _;

use finetune_check::{Example, Report, ReportedFinding};

use crate::view::{
    output::printable,
    progress::count,
    terminal::{columns, truncate},
};

/// Examples that are shown of each finding.
const EXAMPLES: usize = 3;
/// Columns where there is no terminal.
const WIDTH: usize = 160;

/// Formats a report.
pub fn text(report: &Report) -> String {
    let width = columns().unwrap_or(WIDTH).max(60);
    let splits = report.splits.iter().map(|split| {
        let rows = count(split.rows);
        format!("{} {rows} rows", split.role.name())
    });
    let splits: Vec<_> = splits.collect();
    let mut text = format!("data      {}: {}\n", report.dataset, splits.join(", "));
    if report.findings.is_empty() {
        text += "\nNothing was found.\n";
    }
    for finding in &report.findings {
        text += &described(finding, width);
    }
    if !report.suggestions.is_empty() {
        text += "\nSuggested for train:\n";
        for suggestion in &report.suggestions {
            // Writing to a string cannot fail.
            writeln!(text, "  {}  ({})", suggestion.flag, suggestion.reason).ok();
        }
    }
    if !report.not_checked.is_empty() {
        text += "\nNot checked:\n";
        for reason in &report.not_checked {
            writeln!(text, "  {reason}").ok();
        }
    }
    text
}

fn described(finding: &ReportedFinding, width: usize) -> String {
    let share = 100.0 * finding.count as f64 / finding.of.max(1) as f64;
    let rows = match finding.of {
        0 => String::new(),
        of => format!("{} of {} ({share:.2} %) ", count(finding.count), count(of)),
    };
    let mut text = format!(
        "\n{:9} {}: {rows}{}\n",
        finding.severity.name(),
        finding.name,
        finding.summary
    );
    for detail in &finding.details {
        writeln!(text, "          {detail}").ok();
    }
    for example in finding.examples.iter().take(EXAMPLES) {
        text += &shown(example, width);
    }
    text
}

fn shown(example: &Example, width: usize) -> String {
    let line = |text: &str| truncate(&format!("            {}", printable(text)), width) + "\n";
    let note = match example.note.is_empty() {
        true => String::new(),
        false => format!(": {}", example.note),
    };
    let mut text = format!("          - {}{note}\n{}", example.row, line(&example.text));
    if let (Some(other), Some(other_text)) = (&example.other, &example.other_text) {
        writeln!(text, "            like {other}").ok();
        if *other_text != example.text {
            text += &line(other_text);
        }
    }
    text
}
