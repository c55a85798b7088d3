//! The misclassified rows of the highest confidence, which often have wrong labels.

use serde::Serialize;

use crate::predictions::Predictions;
use crate::softmax::{SoftmaxRow, argmax};

/// A misclassified row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ConfidentError {
    /// Index of the row in the order of the updates.
    pub row: usize,
    /// The predicted class.
    pub predicted: usize,
    /// The correct class.
    pub target: usize,
    /// Probability of the predicted class.
    pub confidence: f64,
}

/// Finds the `count` errors of the highest confidence, with earlier rows first on ties, in memory for
/// `2 · count` of them.
pub(crate) fn most_confident_errors(
    predictions: &Predictions<'_>,
    targets: &[u32],
    count: usize,
) -> Vec<ConfidentError> {
    let enough = count.saturating_mul(2).max(64);
    let mut errors = Vec::new();
    for (row, (logits, &target)) in predictions.iter().zip(targets).enumerate() {
        let (predicted, target) = (argmax(logits).unwrap_or(0), target as usize);
        if predicted != target {
            errors.push(ConfidentError {
                row,
                predicted,
                target,
                confidence: SoftmaxRow::new(logits).confidence(),
            });
            if errors.len() == enough {
                keep_most_confident(&mut errors, count);
            }
        }
    }
    keep_most_confident(&mut errors, count);
    errors
}

/// Keeps the `count` errors of the highest confidence. The sort is stable, so rows of equal confidence
/// stay in order.
fn keep_most_confident(errors: &mut Vec<ConfidentError>, count: usize) {
    errors.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    errors.truncate(count);
}
