//! How long the rows are, what was cut, and the padding that there was not.

use maud::html;

use super::Section;
use crate::{
    ReportError, RunFacts,
    format::{count, percent},
    plots::{Bars, Colour, Table, bars, table},
};

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let Some(first) = facts.lengths.first() else {
        return Ok(None);
    };
    let rows = facts.lengths.iter().map(|split| {
        vec![
            split.split.clone(),
            count(split.rows),
            format!("{:.1}", split.mean),
            split.p50.to_string(),
            split.p95.to_string(),
            split.max.to_string(),
            count(split.truncated),
            percent(split.truncated as f64 / split.rows.max(1) as f64),
        ]
    });
    let head = [
        "rows of",
        "rows",
        "mean",
        "median",
        "95 %",
        "longest",
        "cut",
        "share cut",
    ];
    let splits = Table {
        head: head.map(String::from).into(),
        rows: rows.collect(),
    };
    let edge = |bar: usize| bar * first.width;
    let all = first.counts.iter().enumerate();
    let bars_of = all
        .clone()
        .map(|(bar, rows)| (edge(bar) as f64, edge(bar + 1) as f64, *rows as f64));
    let rows = all.map(|(bar, rows)| {
        let last = edge(bar + 1) - 1;
        let lengths = match last - edge(bar) {
            0 => last.to_string(),
            _ => format!("{}–{last}", edge(bar)),
        };
        vec![lengths, count(*rows)]
    });
    let picture = bars(Bars {
        title: "Lengths of the training rows",
        label: "Number of training rows by length in tokens".into(),
        x: "tokens",
        y: "rows",
        y_range: None,
        series: vec![("rows".into(), Colour::Series(0), bars_of.collect())],
        line: None,
        note: None,
        table: Table {
            head: vec!["tokens".into(), "rows".into()],
            rows: rows.collect(),
        },
    })?;
    let padding = facts
        .log
        .started
        .as_ref()
        .and_then(|started| started.padding_avoided);
    let body = html! {
        (table("Lengths by split, in tokens", &splits))
        @if let Some(padding) = padding {
            p { "Batches have no padding. With it, another " (percent(padding))
                " of the first epoch's tokens would have been computed." }
        }
        div.figures { (picture) }
    };
    Ok(Some(Section {
        id: "lengths",
        title: "Lengths",
        body,
    }))
}
