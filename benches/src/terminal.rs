//! Formats the results of a job for the terminal.

use super::results::{JobResult, Verdict};
use xtask::table;

/// Formats title, settings, tables, targets and notes.
#[must_use]
pub fn text(result: &JobResult) -> String {
    let mut text = format!("\n── {}\n{}\n", result.title, result.settings);
    for part in &result.tables {
        text.push('\n');
        if !part.title.is_empty() {
            text.push_str(&format!("{}\n", part.title));
        }
        text.push_str(&table::format(&part.cells()));
        for absence in part.absences() {
            text.push_str(&format!("{absence}\n"));
        }
    }
    if let Some(output) = &result.text {
        text.push_str(&format!("\n{}\n", output.trim_end()));
    }
    if !result.targets.is_empty() {
        text.push_str(&format!(
            "\n{}",
            table::format(&Verdict::cells(&result.targets))
        ));
    }
    for note in &result.notes {
        text.push_str(&format!("{note}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::result;

    #[test]
    fn tables_line_up() {
        assert_eq!(
            text(&result("Full", 5.0)),
            "
── Full
Batches of 16 rows.

who   samples/s  spread  peak, GB
ours        5.0       –      1.25
peer          –       –         –
peer: not measured, no Python was given

target             aim  found
ours to peer  ≥ 2.00 ×      –  not measured
A note.
"
        );
    }
}
