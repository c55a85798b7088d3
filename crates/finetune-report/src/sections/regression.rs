//! Predicted against true values, and what is left.

use finetune_task::Labels;
use maud::{Markup, html};

use super::Section;
use crate::{
    HeldOut, ReportError, RunFacts,
    format::{count, number},
    plots::{Bars, Colour, Scatter, Table, bars, every, scatter},
};

/// The most values with pictures.
const MOST_OUTPUTS: usize = 4;
/// The most rows in a picture of points.
const POINTS: usize = 800;
/// The most of them in the table.
const TABLE_ROWS: usize = 200;
const BARS: usize = 24;

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let Some(held_out) = &facts.held_out else {
        return Ok(None);
    };
    let Labels::Values { width, values } = &held_out.targets else {
        return Ok(None);
    };
    let shown = (*width).min(MOST_OUTPUTS);
    let outputs = (0..shown).map(|output| {
        let pairs = values.chunks_exact(*width).enumerate();
        let pairs =
            pairs.map(|(row, targets)| (targets[output], f64::from(held_out.row(row)[output])));
        pictures(held_out, output, &pairs.collect::<Vec<_>>())
    });
    let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
    let body = html! {
        @if shown < *width { p.note { "The first " (shown) " of " (width) " values are shown." } }
        @for output in outputs { (output) }
    };
    Ok(Some(Section {
        id: "regression",
        title: "Predicted and true values",
        body,
    }))
}

fn pictures(
    held_out: &HeldOut,
    output: usize,
    pairs: &[(f64, f64)],
) -> Result<Markup, ReportError> {
    let points = every(pairs, POINTS);
    let listed = every(&points, TABLE_ROWS);
    let rows = listed
        .iter()
        .map(|(target, value)| [*target, *value, value - target].map(number).to_vec());
    let head = ["target", "prediction", "residual"].map(String::from);
    let note = (points.len() < pairs.len() || listed.len() < points.len()).then(|| {
        format!(
            "{} of {} rows are shown, {} of them in the table.",
            points.len(),
            count(pairs.len() as u64),
            listed.len()
        )
    });
    let points = scatter(Scatter {
        title: "Predicted against true",
        label: "Predictions over targets, beside the line of equality".into(),
        x: "target",
        y: "prediction",
        points,
        note,
        table: Table {
            head: head.into(),
            rows: rows.collect(),
        },
    })?;
    let residuals = residuals(pairs)?;
    Ok(html! {
        @if held_out.outputs > 1 { h3 { (crate::format::visible(&held_out.name(output))) } }
        div.figures { (points) (residuals) }
    })
}

fn residuals(pairs: &[(f64, f64)]) -> Result<Markup, ReportError> {
    let residuals = || pairs.iter().map(|(target, value)| value - target);
    let low = residuals().fold(f64::INFINITY, f64::min);
    let high = residuals().fold(f64::NEG_INFINITY, f64::max);
    let width = ((high - low) / BARS as f64).max(f64::MIN_POSITIVE);
    let mut counts = [0_u64; BARS];
    for residual in residuals() {
        counts[(((residual - low) / width) as usize).min(BARS - 1)] += 1;
    }
    let edge = |bar: usize| low + bar as f64 * width;
    let all = counts.iter().enumerate();
    let bars_of = all
        .clone()
        .map(|(bar, count)| (edge(bar), edge(bar + 1), *count as f64));
    let rows = all.map(|(bar, rows)| {
        vec![
            format!("{} to {}", number(edge(bar)), number(edge(bar + 1))),
            count(*rows),
        ]
    });
    bars(Bars {
        title: "Residuals",
        label: "Number of rows by prediction less target".into(),
        x: "prediction − target",
        y: "rows",
        y_range: None,
        series: vec![("rows".into(), Colour::Series(0), bars_of.collect())],
        line: None,
        note: None,
        table: Table {
            head: vec!["residual".into(), "rows".into()],
            rows: rows.collect(),
        },
    })
}
