//! How to go on from the run and how to repeat it: commands, plan, manifest.

use maud::html;

use super::Section;
use crate::{
    ReportError, RunFacts,
    format::visible,
    plots::{Table, table},
};

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    if facts.plan.is_empty() && facts.manifest.is_empty() && facts.commands.is_empty() {
        return Ok(None);
    }
    let manifest = Table {
        head: vec!["what".into(), "value".into()],
        rows: facts
            .manifest
            .iter()
            .map(|(what, value)| vec![what.clone(), value.clone()])
            .collect(),
    };
    let sessions = facts.sessions.iter().map(|session| {
        vec![
            session.started.clone(),
            session.first_step.to_string(),
            session.end.clone(),
            session.program.clone(),
            session.machine.clone(),
        ]
    });
    let head = ["began", "from step", "end", "program", "machine"];
    let sessions = Table {
        head: head.map(String::from).into(),
        rows: sessions.collect(),
    };
    let body = html! {
        @if !facts.commands.is_empty() { dl.commands { @for (what, command) in &facts.commands {
            div { dt { (visible(what)) } dd { code { (visible(command)) } } }
        } } }
        @if !facts.plan.is_empty() {
            details { summary { "The plan: every setting" }
                pre tabindex="0" { code { (visible(&facts.plan)) } } }
        }
        @if !manifest.rows.is_empty() {
            details { summary { "The manifest: what it was made from" } (table("Manifest", &manifest)) }
        }
        @if !sessions.rows.is_empty() {
            details { summary { "Sessions" } (table("Sessions", &sessions)) }
        }
    };
    Ok(Some(Section {
        id: "repeat",
        title: "How to repeat it",
        body,
    }))
}
