//! Compares a classifier's confidence with its accuracy.

use finetune_infer::Accumulator;
use finetune_metrics::ReliabilityBin;
use serde_json::{Value, json};

/// Formats the ECE, the Brier score and the reliability table; empty if there are no classes.
pub fn table(all: &Accumulator) -> String {
    let Some(all) = all.as_classes() else {
        return String::new();
    };
    let summary = all.summary();
    // There are two conventions for two classes, of which one is twice the other.
    let convention = match all.class_names().len() {
        2 => "mean squared error of one class's probability, 0 to 1",
        _ => "mean of the squared errors summed over the classes, 0 to 2",
    };
    let mut text = format!(
        "expected calibration error {:.4}, Brier score {:.4} ({convention}, as in scikit-learn)\n\n\
         {:>14}  {:>7}  {:>15}  {:>8}\n",
        summary.ece, summary.brier, "confidence", "rows", "mean confidence", "accuracy"
    );
    for bin in filled(&all.reliability_bins()) {
        let range = format!("{:.3} to {:.3}", bin.lower, bin.upper);
        text += &format!(
            "{range:>14}  {:>7}  {:>15.4}  {:>8.4}\n",
            bin.count, bin.confidence, bin.accuracy
        );
    }
    text
}

/// Returns the bins that have rows, as JSON.
pub fn json(all: &Accumulator) -> Value {
    all.as_classes()
        .map_or(Value::Null, |all| json!(filled(&all.reliability_bins())))
}

fn filled(bins: &[ReliabilityBin]) -> Vec<ReliabilityBin> {
    bins.iter().filter(|bin| bin.count > 0).copied().collect()
}
