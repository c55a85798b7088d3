//! Precision, recall and F1 from counts, with scikit-learn's `zero_division=0`.

use serde::Serialize;

/// Precision, recall, F1 and support of one class or of an average over classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Scores {
    /// Share of the predictions of this class that are correct; 0 if there are none.
    pub precision: f64,
    /// Share of the rows of this class that were found; 0 if there are none.
    pub recall: f64,
    /// Harmonic mean of precision and recall; 0 if the class is neither in targets nor predictions.
    pub f1: f64,
    /// Number of rows whose target is this class, or for an average, one of its classes.
    pub support: u64,
}

impl Scores {
    /// Computes the scores from true positives, number of targets and number of predictions.
    ///
    /// F1 is `2·tp / (targets + predictions)`, as in scikit-learn, rather than computed from the rounded
    /// precision and recall.
    pub(crate) fn from_counts(true_positives: u64, targets: u64, predictions: u64) -> Self {
        Self {
            precision: ratio(true_positives as f64, predictions as f64),
            recall: ratio(true_positives as f64, targets as f64),
            f1: ratio(2.0 * true_positives as f64, (targets + predictions) as f64),
            support: targets,
        }
    }

    /// Computes the unweighted mean.
    pub(crate) fn macro_average(scores: &[Scores]) -> Self {
        Self::average(scores, |_| 1.0)
    }

    /// Computes the mean weighted by support.
    pub(crate) fn weighted_average(scores: &[Scores]) -> Self {
        Self::average(scores, |scores| scores.support as f64)
    }

    /// Computes the mean of `scores` weighted by `weight`; all zero if the weights sum to zero.
    fn average(scores: &[Scores], weight: impl Fn(&Scores) -> f64) -> Self {
        let total: f64 = scores.iter().map(&weight).sum();
        let mean = |value: fn(&Scores) -> f64| {
            ratio(scores.iter().map(|s| weight(s) * value(s)).sum(), total)
        };
        Self {
            precision: mean(|s| s.precision),
            recall: mean(|s| s.recall),
            f1: mean(|s| s.f1),
            support: scores.iter().map(|s| s.support).sum(),
        }
    }
}

/// Computes `numerator / denominator`, or 0 if the denominator is 0.
pub(crate) fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 {
        0.0
    } else {
        numerator / denominator
    }
}
