//! Generates `benches/README.md` from the results.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::arguments::Job;
use super::results::{JobResult, Verdict};
use super::store::Results;

const INTRODUCTION: &str = "\
# Benchmarks

Written by `cargo xtask bench`; do not edit. Values are medians over the rounds; in each round every
contestant ran once, in turn, each in a separate process. A ratio says how many times as fast, and is the
median of the rounds' ratios. Spread is the difference between the largest and the smallest value of a
row's first column, relative to the median. Peak memory is the process's largest resident set. All cores
were used, and nothing else was running. `results.json` has every round.

To repeat the measurements, with the peer in a virtual environment that the command creates (about 6 GB)
or in an existing one (with the packages of `peer/requirements.txt`):

```
cargo xtask bench --with-peer
cargo xtask bench --peer-python PATH --only full,lora
cargo xtask bench --only operations
```
";

/// Returns the page.
#[must_use]
pub fn page(results: &Results) -> String {
    let mut page = INTRODUCTION.to_owned();
    let targets: Vec<&Verdict> = results
        .iter()
        .flat_map(|(_, result)| &result.targets)
        .collect();
    if !targets.is_empty() {
        page.push_str("\n## Targets\n\n");
        page.push_str(&table(&Verdict::cells(targets)));
    }
    for (job, result) in results.iter() {
        page.push_str(&section(job, result));
    }
    page
}

fn section(job: Job, result: &JobResult) -> String {
    let mut text = format!("\n## {}\n\n", result.title);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "`--only {}`. {}\n", job.name(), result.settings);
    for part in &result.tables {
        if !part.title.is_empty() {
            let _ = writeln!(text, "### {}\n", part.title);
        }
        text.push_str(&table(&part.cells()));
        text.push('\n');
        for absence in part.absences() {
            let _ = writeln!(text, "- {absence}");
        }
        if part.absences().next().is_some() {
            text.push('\n');
        }
    }
    if let Some(output) = &result.text {
        let _ = writeln!(text, "```\n{}\n```\n", output.trim_end());
    }
    for note in &result.notes {
        let _ = writeln!(text, "- {note}");
    }
    if !result.notes.is_empty() {
        text.push('\n');
    }
    let date = result.date.split('T').next().unwrap_or_default();
    let _ = writeln!(
        text,
        "Measured on {date} on {}, with {}.",
        result.machine,
        versions(&result.versions)
    );
    text
}

/// Formats versions such as `finetune 0.1.0 (abc), torch 2.15.0`.
fn versions(versions: &BTreeMap<String, String>) -> String {
    let shown = versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"));
    shown.collect::<Vec<_>>().join(", ")
}

/// Formats a Markdown table with the first column aligned to the left and the others to the right.
fn table(cells: &[Vec<String>]) -> String {
    let line = |row: &[String]| {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = String::new();
    for (index, row) in cells.iter().enumerate() {
        text.push_str(&line(row));
        if index == 0 {
            let rest = "---:|".repeat(row.len().saturating_sub(1));
            let _ = writeln!(text, "|---|{rest}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::result;

    #[test]
    fn a_page_has_targets_first_and_a_section_for_each_job() {
        let mut results = Results::default();
        results.set(Job::Lora, result("LoRA", 12.34));
        results.set(Job::Full, result("Full fine-tuning", 5.0));
        let page = page(&results);
        let (_, sections) = page.split_once("\n## Targets\n").unwrap();
        let expected = "
| target | aim | found |  |
|---|---:|---:|---:|
| ours to peer | ≥ 2.00 × | – | not measured |
| ours to peer | ≥ 2.00 × | – | not measured |

## Full fine-tuning

`--only full`. Batches of 16 rows.

| who | samples/s | spread | peak, GB |
|---|---:|---:|---:|
| ours | 5.0 | – | 1.25 |
| peer | – | – | – |

- peer: not measured, no Python was given

- A note.

Measured on 2026-01-02 on AMD EPYC, 2 cores, 24 GiB of memory, linux x86_64 (avx2), with torch 2.15.0.

## LoRA
";
        assert!(sections.starts_with(expected), "{sections}");
        assert!(
            sections.contains("| ours | 12.3 | – | 1.25 |"),
            "{sections}"
        );
    }

    #[test]
    fn what_a_program_printed_is_kept_as_it_is() {
        let mut results = Results::default();
        let mut operations = result("Operations", 1.0);
        operations.text = Some("linear  1 ms\n╰─ x\n".to_owned());
        results.set(Job::Operations, operations);
        assert!(page(&results).contains("```\nlinear  1 ms\n╰─ x\n```\n"));
    }
}
