//! Where the time went, and memory.

use maud::html;

use super::Section;
use crate::{
    ReportError, RunFacts,
    format::{bytes, count, duration, percent},
    plots::{Colour, Table, table},
};

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let times = &facts.times;
    let parts = [
        ("reading and tokenizing", times.data),
        ("loading the model", times.model),
        ("steps", times.steps),
        ("evaluations", times.evaluation),
        ("saving, and features of frozen layers", times.saving),
        ("test rows", times.test),
    ];
    let total: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
    let mut more = Vec::new();
    if let Some(speed) = facts.samples_per_second {
        more.push((
            "rows per second in steps".to_string(),
            format!("{speed:.1}"),
        ));
    }
    if let Some(peak) = facts.peak_memory {
        more.push(("peak memory".into(), bytes(peak)));
    }
    if let Some(size) = facts.model_bytes {
        more.push(("saved model".into(), bytes(size)));
    }
    if let Some(started) = &facts.log.started {
        more.push(("parameters".into(), count(started.parameters)));
        more.push((
            "trained parameters".into(),
            count(started.trainable_parameters),
        ));
    }
    if total <= 0.0 && more.is_empty() {
        return Ok(None);
    }
    let shares = parts
        .iter()
        .zip(0..)
        .filter(|((_, seconds), _)| *seconds > 0.0);
    let rows = shares.clone().map(|((what, seconds), _)| {
        vec![
            (*what).to_owned(),
            duration(*seconds),
            percent(seconds / total),
        ]
    });
    let rows = rows.chain([vec!["total".into(), duration(total), percent(1.0)]]);
    let head = ["time for", "time", "share"];
    let spent = Table {
        head: head.map(String::from).into(),
        rows: rows.collect(),
    };
    let body = html! {
        @if total > 0.0 {
            div.stack aria-hidden="true" { @for ((what, seconds), colour) in shares {
                span title=(what) style={
                    "flex-grow:" (format!("{:.4}", seconds / total)) ";background:" (Colour::Series(colour).variable())
                } {}
            } }
            (table("Where the time went", &spent))
        }
        @if !more.is_empty() {
            dl.facts { @for (what, value) in &more { div { dt { (what) } dd { (value) } } } }
        }
    };
    Ok(Some(Section {
        id: "resources",
        title: "Time and memory",
        body,
    }))
}
