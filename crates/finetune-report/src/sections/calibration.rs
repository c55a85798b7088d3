//! Whether the model is as often right as it is confident.

use finetune_metrics::{ClassificationAccumulator, ReliabilityBin, argmax};
use finetune_task::Labels;
use maud::{Markup, html};

use super::Section;
use crate::{
    HeldOut, ReportError, RunFacts,
    format::{count, decimals},
    held_out::confidence,
    plots::{Bars, Colour, Table, bars},
};

/// Number of bars over the confidence.
const BARS: usize = 20;

pub(super) fn section(facts: &RunFacts) -> Result<Option<Section>, ReportError> {
    let Some(held_out) = &facts.held_out else {
        return Ok(None);
    };
    let Labels::Classes(targets) = &held_out.targets else {
        return Ok(None);
    };
    let names = (0..held_out.outputs).map(|class| held_out.name(class));
    let mut all = ClassificationAccumulator::new(names.collect());
    all.reserve(held_out.rows());
    for (row, &target) in targets.iter().enumerate() {
        all.update(held_out.row(row), target as usize, 0.0)?;
    }
    let bins = all.reliability_bins();
    let body = html! { div.figures {
        (reliability(&bins, error(&bins))?)
        (right_and_wrong(held_out, targets)?)
    } };
    Ok(Some(Section {
        id: "calibration",
        title: "Calibration",
        body,
    }))
}

/// The expected calibration error: the gaps between confidence and accuracy, averaged over rows.
fn error(bins: &[ReliabilityBin]) -> f64 {
    let rows: u64 = bins.iter().map(|bin| bin.count).sum();
    let filled = bins.iter().filter(|bin| bin.count > 0);
    let gaps = filled.map(|bin| bin.count as f64 * (bin.confidence - bin.accuracy).abs());
    gaps.sum::<f64>() / rows as f64
}

fn reliability(bins: &[ReliabilityBin], error: f64) -> Result<Markup, ReportError> {
    let filled = || bins.iter().filter(|bin| bin.count > 0);
    let rows = filled().map(|bin| {
        vec![
            format!("{:.3}–{:.3}", bin.lower, bin.upper),
            decimals(bin.confidence),
            decimals(bin.accuracy),
            count(bin.count),
        ]
    });
    let head = ["confidence", "mean confidence", "accuracy", "rows"];
    let edges = filled().map(|bin| bin.lower).fold(1.0, f64::min);
    bars(Bars {
        title: "Reliability",
        label: "Accuracy of the rows of each confidence, beside the line of equality".into(),
        x: "confidence",
        y: "accuracy",
        y_range: Some([0.0, 1.02]),
        series: vec![(
            "accuracy".into(),
            Colour::Series(0),
            filled()
                .map(|bin| (bin.lower, bin.upper, bin.accuracy))
                .collect(),
        )],
        line: Some((
            "as confident as right".into(),
            vec![(edges, edges), (1.0, 1.0)],
        )),
        note: Some(format!(
            "Expected calibration error {}: by so much do confidence and accuracy differ on average.",
            decimals(error)
        )),
        table: Table {
            head: head.map(String::from).into(),
            rows: rows.collect(),
        },
    })
}

fn right_and_wrong(held_out: &HeldOut, targets: &[u32]) -> Result<Markup, ReportError> {
    let least = 1.0 / held_out.outputs.max(1) as f64;
    let width = (1.0 - least) / BARS as f64;
    let mut counts = [[0_u64; BARS]; 2];
    for (row, &target) in targets.iter().enumerate() {
        let logits = held_out.row(row);
        let is_wrong = argmax(logits) != Some(target as usize);
        let bar = ((confidence(logits) - least) / width) as usize;
        counts[usize::from(is_wrong)][bar.min(BARS - 1)] += 1;
    }
    let edge = |bar: usize| least + bar as f64 * width;
    let side_by_side = |counts: &[u64; BARS], shift: f64| -> Vec<(f64, f64, f64)> {
        let bars = counts.iter().enumerate();
        bars.map(|(bar, count)| {
            let left = edge(bar) + shift * width;
            (left, left + 0.5 * width, *count as f64)
        })
        .collect()
    };
    let rows = (0..BARS).map(|bar| {
        vec![
            format!("{:.3}–{:.3}", edge(bar), edge(bar + 1)),
            count(counts[0][bar]),
            count(counts[1][bar]),
        ]
    });
    let head = ["confidence", "right", "wrong"];
    bars(Bars {
        title: "Confidence of right and wrong predictions",
        label: "Number of right and of wrong predictions by confidence".into(),
        x: "confidence",
        y: "rows",
        y_range: None,
        series: vec![
            (
                "right".into(),
                Colour::Series(0),
                side_by_side(&counts[0], 0.0),
            ),
            (
                "wrong".into(),
                Colour::Series(1),
                side_by_side(&counts[1], 0.5),
            ),
        ],
        line: None,
        note: None,
        table: Table {
            head: head.map(String::from).into(),
            rows: rows.collect(),
        },
    })
}
