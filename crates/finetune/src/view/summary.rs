//! What a command prints when it is done.

use finetune_infer::{Accumulator, Evaluation};
use finetune_metrics::Metric;
use serde_json::{Map, Value, json};

use crate::view::output::printable;

/// The tables of an evaluation. Control characters in names are shown, so that columns line up.
pub fn tables(accumulator: &Accumulator) -> String {
    accumulator.report(|name| printable(name).into_owned())
}

/// Metrics as JSON.
pub fn json(evaluation: &Evaluation) -> Value {
    serde_json::to_value(evaluation).unwrap_or_default()
}

/// Metrics as JSON, with confidence intervals.
pub fn json_with_intervals(all: &Accumulator) -> Value {
    let mut metrics = json(&all.evaluation());
    let intervals = all.intervals().into_iter();
    let intervals: Map<_, _> = intervals
        .map(|(metric, interval)| (metric.to_string(), json!(interval)))
        .collect();
    if !intervals.is_empty() {
        metrics["confidence_intervals"] = intervals.into();
    }
    metrics
}

/// The intervals in words; empty where there are none.
pub fn describe_intervals(all: &Accumulator) -> String {
    let intervals = all.intervals().into_iter().map(|(metric, interval)| {
        let title = match metric {
            Metric::F1Macro => "F1 macro",
            _ => metric.name(),
        };
        format!("{title} {:.4} to {:.4}", interval.low, interval.high)
    });
    let intervals: Vec<_> = intervals.collect();
    match intervals.is_empty() {
        true => String::new(),
        false => format!(
            "95 % intervals of the bootstrap: {}\n",
            intervals.join(", ")
        ),
    }
}
