//! `empty-texts`, `texts-without-letters`, `mojibake`, `replacement-characters`, `control-characters`,
//! `html-entities` and `html-tags`: what a text shows by itself.

use crate::checks::Facts;
use crate::finding::{Finding, Severity};
use crate::scan::faults::Fault;

const FAULTS: [(Fault, &str, Severity, &str); 7] = [
    (
        Fault::Empty,
        "empty-texts",
        Severity::Warning,
        "texts have nothing that can be seen",
    ),
    (
        Fault::NoLetters,
        "texts-without-letters",
        Severity::Warning,
        "texts have no letter, only digits, punctuation or symbols",
    ),
    (
        Fault::Mojibake,
        "mojibake",
        Severity::Warning,
        "texts are UTF-8 that was read as Windows-1252 (such as Ã© for é); read the source as UTF-8, or repair the texts",
    ),
    (
        Fault::Replacement,
        "replacement-characters",
        Severity::Warning,
        "texts have U+FFFD, which stands for bytes that could not be read",
    ),
    (
        Fault::Control,
        "control-characters",
        Severity::Info,
        "texts have control or invisible characters",
    ),
    (
        Fault::Entity,
        "html-entities",
        Severity::Info,
        "texts have entities of HTML, such as &amp;",
    ),
    (
        Fault::Tag,
        "html-tags",
        Severity::Info,
        "texts have tags of HTML, such as <br />",
    ),
];

pub(crate) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let findings = FAULTS
        .iter()
        .filter_map(|(fault, name, severity, summary)| {
            let rows = facts.scan.rows_that(|row| row.faults.has(*fault));
            Finding::of_rows(name, *severity, *summary, rows, facts.rows())
        });
    findings.collect()
}
