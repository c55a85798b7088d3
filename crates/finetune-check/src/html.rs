//! The report as a page: one file that needs no other, and whose texts stay texts.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::finding::{Example, Location, ReportedFinding};
use crate::report::Report;

const STYLE: &str = include_str!("page.css");

/// Returns the report as an HTML page.
pub fn page(report: &Report) -> String {
    let title = format!("Check of {}", report.dataset);
    let page: Markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (visible(&title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (visible(&title)) }
                    (splits(report))
                    (overview(report))
                    @for finding in &report.findings { (finding_section(finding)) }
                    (suggestions(report))
                    (not_checked(report))
                }
            }
        }
    };
    page.into_string()
}

fn splits(report: &Report) -> Markup {
    html! {
        div.scroll { table {
            caption { "Rows" }
            thead { tr { th scope="col" { "Split" } th.number scope="col" { "Rows" } } }
            tbody { @for split in &report.splits {
                tr { th scope="row" { (visible(&split.name)) } td.number { (split.rows) } }
            } }
        } }
        p {
            "Texts: " code { (visible(&report.text_columns.join(", "))) }
            @if !report.label_columns.is_empty() {
                "; labels: " code { (visible(&report.label_columns.join(", "))) }
            }
        }
    }
}

fn overview(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Findings" }
            @if report.findings.is_empty() { p { "Nothing was found." } }
            @else { div.scroll { table {
                thead { tr {
                    th scope="col" { "Severity" } th scope="col" { "Finding" }
                    th.number scope="col" { "Rows" } th scope="col" { "What it means" }
                } }
                tbody { @for finding in &report.findings { tr {
                    td class=(finding.severity.name()) { (finding.severity.name()) }
                    th scope="row" { a href={ "#" (finding.name) } { (finding.name) } }
                    td.number { @if finding.of > 0 { (finding.count) } }
                    td { (visible(&finding.summary)) }
                } } }
            } } }
        }
    }
}

fn finding_section(finding: &ReportedFinding) -> Markup {
    html! {
        section id=(finding.name) {
            h2 { (finding.name) " " span class=(finding.severity.name()) { (finding.severity.name()) } }
            p {
                @if finding.of > 0 { (finding.count) " of " (finding.of) " " }
                (visible(&finding.summary)) "."
            }
            @if !finding.details.is_empty() {
                ul { @for detail in &finding.details { li { (visible(detail)) } } }
            }
            @if !finding.examples.is_empty() { div.scroll { table {
                caption { "Examples" }
                thead { tr { th scope="col" { "Row" } th scope="col" { "Like" } th scope="col" { "Note" } } }
                tbody { @for example in &finding.examples { (example_row(example)) } }
            } } }
        }
    }
}

fn example_row(example: &Example) -> Markup {
    html! {
        tr {
            td { (shown(&example.row, &example.text)) }
            td { @if let (Some(other), Some(text)) = (&example.other, &example.other_text) { (shown(other, text)) } }
            td { (visible(&example.note)) }
        }
    }
}

fn shown(location: &Location, text: &str) -> Markup {
    html! {
        div.text dir="auto" { (visible(text)) }
        div.place { (visible(&location.to_string())) }
    }
}

fn suggestions(report: &Report) -> Markup {
    html! { @if !report.suggestions.is_empty() { section {
        h2 { "Suggested settings" }
        ul { @for suggestion in &report.suggestions {
            li { code { (suggestion.flag) } ": " (visible(&suggestion.reason)) }
        } }
    } } }
}

fn not_checked(report: &Report) -> Markup {
    html! { @if !report.not_checked.is_empty() { section {
        h2 { "Not checked" }
        ul { @for reason in &report.not_checked { li { (visible(reason)) } } }
    } } }
}

/// Replaces control characters and marks of writing direction, which HTML would not show or would obey, by
/// their escapes. What HTML itself would obey, the template engine escapes.
fn visible(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match acts(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, Severity};

    #[test]
    fn texts_stay_texts() {
        let evil = "<script>alert(1)</script></style>\"'&amp;\u{202e}\u{1b}[31m";
        let location = Location {
            split: Role::Train,
            file: evil.into(),
            row: 3,
            line: Some(4),
        };
        let report = Report {
            dataset: evil.into(),
            splits: Vec::new(),
            text_columns: vec![evil.into()],
            label_columns: Vec::new(),
            labels: Vec::new(),
            has_leaks: false,
            findings: vec![ReportedFinding {
                name: "html-tags",
                severity: Severity::Info,
                summary: evil.into(),
                details: vec![evil.into()],
                count: 1,
                of: 1,
                examples: vec![Example {
                    row: location.clone(),
                    text: evil.into(),
                    other: Some(location),
                    other_text: Some(evil.into()),
                    note: evil.into(),
                }],
            }],
            suggestions: Vec::new(),
            not_checked: vec![evil.into()],
        };
        let page = page(&report);
        assert!(!page.contains("<script"));
        assert_eq!(page.matches("</style>").count(), 1);
        assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'));
        assert_eq!(page.matches("&lt;script&gt;alert(1)").count(), 12);
        assert!(!page.contains("http"));
    }
}
