//! Loss and the chosen metric over the steps.

use maud::html;

use super::Section;
use crate::{
    ReportError, RunFacts,
    format::{count, number},
    plots::{Colour, Line, Lines, Table, every, lines, over_steps},
};

/// The most evaluations that are plotted.
const EVALUATIONS: usize = 240;
const LOSS: &str = "loss";

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let log = &facts.log;
    let has_evaluations = log.validations().next().is_some();
    if log.steps.is_empty() && !has_evaluations {
        return Ok(None);
    }
    let loss = loss(facts)?;
    let has_metric = |point: &crate::EvaluationPoint| point.metrics.contains_key(&facts.metric);
    let metric = match facts.metric != LOSS && log.validations().any(has_metric) {
        true => Some(metric(facts)?),
        false => None,
    };
    let body = html! { div.figures { (loss) @if let Some(metric) = metric { (metric) } } };
    Ok(Some(Section {
        id: "curves",
        title: "Curves",
        body,
    }))
}

/// Returns step and value of a metric at each evaluation, thinned.
fn evaluated(facts: &RunFacts, name: &str) -> Vec<(f64, f64)> {
    let points = facts.log.validations();
    let points = points.filter_map(|point| Some((point.step as f64, *point.metrics.get(name)?)));
    every(&points.collect::<Vec<_>>(), EVALUATIONS)
}

fn kept(facts: &RunFacts) -> Option<(f64, String)> {
    let step = facts.kept_step?;
    Some((step as f64, format!("kept step {}", count(step))))
}

fn loss(facts: &RunFacts) -> Result<maud::Markup, ReportError> {
    let steps = facts.log.steps.iter();
    let buckets = over_steps(steps.map(|step| (step.step, step.loss)));
    let is_thinned = buckets.len() < facts.log.steps.len();
    let mut all = Vec::new();
    if !buckets.is_empty() {
        let points = buckets
            .iter()
            .map(|bucket| (bucket.step as f64, bucket.mean));
        let band = buckets
            .iter()
            .map(|bucket| (bucket.step as f64, bucket.min, bucket.max));
        all.push(Line {
            name: "training".into(),
            points: points.collect(),
            band: if is_thinned {
                band.collect()
            } else {
                Vec::new()
            },
            dots: false,
            colour: Colour::Series(0),
        });
    }
    let evaluations = evaluated(facts, LOSS);
    if !evaluations.is_empty() {
        all.push(Line {
            name: "validation".into(),
            dots: evaluations.len() < 60,
            points: evaluations.clone(),
            band: Vec::new(),
            colour: Colour::Series(1),
        });
    }
    let mut rows: Vec<(u64, Vec<String>)> = buckets
        .iter()
        .map(|bucket| {
            let cells = [bucket.mean, bucket.min, bucket.max].map(number);
            (bucket.step, [&cells[..], &[String::new()]].concat())
        })
        .collect();
    for (step, value) in evaluations {
        let step = step as u64;
        match rows.iter_mut().find(|row| row.0 == step) {
            Some(row) => row.1[3] = number(value),
            None => rows.push((
                step,
                vec![String::new(), String::new(), String::new(), number(value)],
            )),
        }
    }
    rows.sort_by_key(|row| row.0);
    let head = [
        "step",
        "training loss",
        "least",
        "greatest",
        "validation loss",
    ];
    lines(Lines {
        title: "Loss",
        label: "Loss over the steps, in training and on the validation rows".into(),
        x: "step",
        y: "loss",
        x_range: None,
        y_range: None,
        format: [number, number],
        lines: all,
        upright: kept(facts),
        note: thinned(facts, buckets.len()),
        table: Table {
            head: head.map(String::from).into(),
            rows: rows
                .into_iter()
                .map(|(step, cells)| [vec![step.to_string()], cells].concat())
                .collect(),
        },
        has_points: true,
    })
}

/// Says how many log entries a point stands for.
pub(super) fn thinned(facts: &RunFacts, points: usize) -> Option<String> {
    let entries = facts.log.steps.len();
    (points < entries).then(|| {
        format!(
            "{} log entries are shown as {points} points: the line is the mean of about {} entries, and the area is \
             their range.",
            count(entries as u64),
            count((entries as f64 / points.max(1) as f64).round() as u64)
        )
    })
}

fn metric(facts: &RunFacts) -> Result<maud::Markup, ReportError> {
    let points = evaluated(facts, &facts.metric);
    let best: Vec<_> = facts
        .log
        .validations()
        .map(|point| (point.step, point.best))
        .collect();
    let is_best = |step: u64| best.contains(&(step, true));
    let rows = points.iter().map(|(step, value)| {
        let mark = if is_best(*step as u64) {
            "best so far"
        } else {
            ""
        };
        vec![step.to_string(), number(*value), mark.to_owned()]
    });
    let rows = rows.collect();
    let total = facts.log.validations().count();
    lines(Lines {
        title: "Metric on the validation rows",
        label: format!("{} on the validation rows over the steps", facts.metric),
        x: "step",
        y: "",
        x_range: None,
        y_range: None,
        format: [number, number],
        note: (points.len() < total).then(|| {
            format!(
                "{} of {} evaluations are shown.",
                points.len(),
                count(total as u64)
            )
        }),
        lines: vec![Line {
            name: facts.metric.clone(),
            dots: points.len() < 60,
            points,
            band: Vec::new(),
            colour: Colour::Series(1),
        }],
        upright: kept(facts),
        table: Table {
            head: vec!["step".into(), facts.metric.clone(), String::from("note")],
            rows,
        },
        has_points: true,
    })
}
