//! The points of ROC and precision-recall curves.

use crate::ranking::Ranking;

/// The trade-off between finding the rows of a class and false alarms, over all thresholds.
///
/// ```
/// use finetune_metrics::RankingCurve;
///
/// let rows = [(0.9, true), (0.6, false), (0.4, true), (0.2, false)];
/// let curve = RankingCurve::new(rows.into_iter());
/// assert_eq!((curve.roc_auc, curve.points.len()), (0.75, 4));
/// assert_eq!(curve.points[0].precision(), 1.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RankingCurve {
    /// A point per distinct score, with falling thresholds.
    pub points: Vec<CurvePoint>,
    /// Number of rows of the class.
    pub positives: u64,
    /// Number of other rows.
    pub negatives: u64,
    /// Area under the ROC curve (`roc_auc_score`); NaN without rows of either kind.
    pub roc_auc: f64,
    /// Average precision (`average_precision_score`); 0 without rows of the class.
    pub average_precision: f64,
}

/// The rows at or above a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// The threshold.
    pub threshold: f64,
    /// Rows of the class at or above it.
    pub true_positives: u64,
    /// Other rows at or above it.
    pub false_positives: u64,
}

impl CurvePoint {
    /// Returns the share of the rows at or above the threshold that are of the class.
    pub fn precision(&self) -> f64 {
        self.true_positives as f64 / (self.true_positives + self.false_positives) as f64
    }
}

impl RankingCurve {
    /// Computes the curve from each row's score (never NaN) and whether it is of the class, in
    /// O(rows · log rows).
    pub fn new(rows: impl Iterator<Item = (f64, bool)>) -> Self {
        let ranking = Ranking::new(rows);
        let (mut true_positives, mut false_positives) = (0, 0);
        let points = ranking.steps().map(|step| {
            true_positives += step.positives;
            false_positives += step.negatives;
            CurvePoint {
                threshold: step.score,
                true_positives,
                false_positives,
            }
        });
        let points: Vec<_> = points.collect();
        Self {
            positives: true_positives,
            negatives: false_positives,
            points,
            roc_auc: ranking.roc_auc(),
            average_precision: ranking.average_precision(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_are_one_point() {
        let rows = [(0.5, true), (0.5, false), (0.5, true), (0.1, true)];
        let curve = RankingCurve::new(rows.into_iter());
        let counts = curve
            .points
            .iter()
            .map(|point| (point.true_positives, point.false_positives));
        assert_eq!(counts.collect::<Vec<_>>(), [(2, 1), (3, 1)]);
        assert_eq!((curve.positives, curve.negatives), (3, 1));
        assert_eq!(curve.points[0].precision(), 2.0 / 3.0);
        // Two of three pairs are ties, which count half, and one is in the wrong order.
        assert!((curve.roc_auc - 1.0 / 3.0).abs() < 1e-15);
        assert!(RankingCurve::new([].into_iter()).roc_auc.is_nan());
    }
}
