//! Learning rate and gradient norm over the steps.

use maud::{Markup, html};

use super::{Section, curves::thinned};
use crate::{
    ReportError, RunFacts, StepPoint,
    format::number,
    plots::{Colour, Line, Lines, Table, lines, over_steps},
};

type Value = fn(&StepPoint) -> Option<f64>;

fn rate(step: &StepPoint) -> Option<f64> {
    step.learning_rate
}

fn head_rate(step: &StepPoint) -> Option<f64> {
    step.head_learning_rate
}

fn grad_norm(step: &StepPoint) -> Option<f64> {
    step.grad_norm
}

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let steps = &facts.log.steps;
    if steps.is_empty() {
        return Ok(None);
    }
    let mut rates: Vec<(&str, Value)> = vec![("learning rate", rate as Value)];
    if steps.iter().any(|step| step.head_learning_rate.is_some()) {
        rates.push(("of the head", head_rate as Value));
    }
    let rates = over(facts, "Learning rate", "learning rate", &rates)?;
    let norm = over(
        facts,
        "Gradient norm before clipping",
        "gradient norm",
        &[("gradient norm", grad_norm as Value)],
    )?;
    Ok(Some(Section {
        id: "optimization",
        title: "Optimization",
        body: html! { div.figures { (rates) (norm) } },
    }))
}

fn over(
    facts: &RunFacts,
    title: &'static str,
    y: &'static str,
    series: &[(&str, Value)],
) -> Result<Markup, ReportError> {
    let steps = &facts.log.steps;
    let of = |value: &Value| over_steps(steps.iter().map(|step| (step.step, value(step))));
    let all: Vec<_> = series
        .iter()
        .map(|(name, value)| (*name, of(value)))
        .collect();
    let points = all.first().map_or(0, |(_, buckets)| buckets.len());
    let mut head = vec!["step".to_string()];
    for (name, _) in &all {
        head.extend([
            (*name).to_owned(),
            format!("{name}, least"),
            format!("{name}, greatest"),
        ]);
    }
    let rows = (0..points).map(|row| {
        let step = all.first().map_or(0, |(_, buckets)| buckets[row].step);
        let cells = all.iter().flat_map(|(_, buckets)| {
            let bucket = buckets[row];
            [bucket.mean, bucket.min, bucket.max].map(number)
        });
        std::iter::once(step.to_string()).chain(cells).collect()
    });
    let rows = rows.collect();
    let is_thinned = points < steps.len();
    let lines_of = all.iter().zip(0..).map(|((name, buckets), colour)| Line {
        name: (*name).into(),
        points: buckets
            .iter()
            .map(|bucket| (bucket.step as f64, bucket.mean))
            .collect(),
        band: match is_thinned {
            true => buckets
                .iter()
                .map(|bucket| (bucket.step as f64, bucket.min, bucket.max))
                .collect(),
            false => Vec::new(),
        },
        dots: false,
        colour: Colour::Series(colour),
    });
    lines(Lines {
        title,
        label: format!("{title} over the steps"),
        x: "step",
        y,
        x_range: None,
        y_range: None,
        format: [number, number],
        lines: lines_of.collect(),
        upright: None,
        note: thinned(facts, points),
        table: Table { head, rows },
        has_points: true,
    })
}
