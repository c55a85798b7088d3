//! The page: one file that needs no other, and whose texts stay texts.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{ReportError, RunFacts, format::visible, sections};

/// By this a page of ours is known.
pub const GENERATOR: &str = "finetune report";
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Returns the report of a run as an HTML page.
///
/// # Errors
/// Fails if the predictions do not fit together.
pub fn page(facts: &RunFacts) -> Result<String, ReportError> {
    let title = visible(&format!("Report of {}", facts.name));
    let sections = sections::all(facts)?;
    let page: Markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Whatever a text may do, nothing is ever loaded.
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
                meta name="generator" content=(GENERATOR);
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { h1 { (title) }
                    nav aria-label="Sections" { ul { @for section in &sections {
                        li { a href={ "#" (section.id) } { (section.title) } }
                    } } }
                }
                main { @for section in &sections {
                    section id=(section.id) aria-labelledby={ (section.id) "-title" } {
                        h2 id={ (section.id) "-title" } { (section.title) }
                        (section.body)
                    }
                } }
                footer { "Made by finetune " (env!("CARGO_PKG_VERSION")) "." }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}
