//! What a command prints when it is done.

use finetune_infer::{Accumulator, Evaluation};
use finetune_metrics::{Bootstrap, ClassificationReport, ConfusionMatrix, Interval, Metric};
use serde_json::{Map, Value, json};

use crate::view::output::printable;

/// The tables of an evaluation: scikit-learn's report and the confusion matrix, or the errors.
pub fn tables(accumulator: &Accumulator) -> String {
    match accumulator {
        Accumulator::Classification(all) => {
            let names = shown(all.class_names());
            let matrix = all.confusion_matrix().named(&names);
            let matrix = matrix.map(|matrix| matrix.to_string()).unwrap_or_default();
            let report = ClassificationReport::new(all.confusion_matrix(), &names);
            let report = report.map(|report| report.digits(4).to_string());
            format!("{}\n{matrix}", report.unwrap_or_default())
        }
        Accumulator::MultiLabel(all) => all.report_as(&shown(all.class_names())),
        Accumulator::Regression(all) => {
            let summary = all.summary();
            format!(
                "mse {:.4}  rmse {:.4}  mae {:.4}  R² {:.4}  pearson {:.4}  spearman {:.4}\n",
                summary.mse,
                summary.rmse,
                summary.mae,
                summary.r2,
                summary.pearson,
                summary.spearman
            )
        }
    }
}

/// Names with control characters shown, so that columns line up.
fn shown(names: &[String]) -> Vec<String> {
    names
        .iter()
        .map(|name| printable(name).into_owned())
        .collect()
}

/// Metrics as JSON.
pub fn json(evaluation: &Evaluation) -> Value {
    serde_json::to_value(evaluation).unwrap_or_default()
}

/// Metrics as JSON, with confidence intervals.
pub fn json_with_intervals(all: &Accumulator) -> Value {
    let mut metrics = json(&all.evaluation());
    let intervals = intervals(all).into_iter();
    let intervals: Map<_, _> = intervals
        .map(|(metric, interval)| (metric.to_string(), json!(interval)))
        .collect();
    if !intervals.is_empty() {
        metrics["confidence_intervals"] = intervals.into();
    }
    metrics
}

/// How far accuracy and macro F1 of a classifier may be off by the choice of the rows: 95 %
/// intervals of the bootstrap.
pub fn intervals(all: &Accumulator) -> Vec<(Metric, Interval)> {
    let Accumulator::Classification(all) = all else {
        return Vec::new();
    };
    type Score = fn(&ConfusionMatrix) -> f64;
    let scores: [(Metric, Score); 2] = [
        (Metric::Accuracy, ConfusionMatrix::accuracy),
        (Metric::F1Macro, |matrix| matrix.macro_average().f1),
    ];
    let matrix = all.confusion_matrix();
    let interval = |(metric, score)| {
        let interval = Bootstrap::default().interval(matrix, score).ok()?;
        Some((metric, interval))
    };
    scores.into_iter().filter_map(interval).collect()
}

/// The intervals in words; empty where there are none.
pub fn describe_intervals(all: &Accumulator) -> String {
    let intervals = intervals(all).into_iter().map(|(metric, interval)| {
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
