//! Scores of a classifier's probabilities, computed in one pass over its logits.

use crate::calibration::Reliability;
use crate::mean::Mean;
use crate::predictions::Predictions;
use crate::ranking::{Ranking, RankingMean};
use crate::softmax::{SoftmaxRow, argmax};

/// The values of k for top-k accuracy.
pub(crate) const TOP_K: [usize; 4] = [2, 3, 4, 5];

/// Scores of the probabilities of all rows. Without rows, they are all NaN.
#[derive(Debug)]
pub(crate) struct ProbabilityScores {
    pub(crate) log_loss: f64,
    pub(crate) brier: f64,
    pub(crate) confidence: f64,
    pub(crate) ece: f64,
    pub(crate) roc_auc: f64,
    pub(crate) average_precision: f64,
    /// The accuracies for [`TOP_K`]; `None` if k is not below the number of classes.
    pub(crate) top_k: [Option<f64>; 4],
}

impl ProbabilityScores {
    /// Computes the scores, which temporarily takes 24 bytes per row.
    pub(crate) fn new(predictions: &Predictions<'_>, targets: &[u32]) -> Self {
        let classes = predictions.outputs();
        let (mut log_loss, mut brier, mut confidence) = (Mean::new(), Mean::new(), Mean::new());
        let mut reliability = Reliability::default();
        let mut top_k = [0_u64; TOP_K.len()];
        let mut softmax = Vec::with_capacity(targets.len());
        for (logits, &target) in predictions.iter().zip(targets) {
            let target = target as usize;
            let row = SoftmaxRow::new(logits);
            // Clipped as in scikit-learn, so that a probability that rounds to 0 costs 36, not infinity.
            let clipped = row
                .probability(logits[target])
                .clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            log_loss.update(-clipped.ln(), 1.0);
            brier.update(squared_error(&row, logits, target), 1.0);
            confidence.update(row.confidence(), 1.0);
            reliability.update(row.confidence(), argmax(logits) == Some(target));
            let rank = rank(logits, target);
            for (hits, k) in top_k.iter_mut().zip(TOP_K) {
                *hits += u64::from(rank < k);
            }
            softmax.push(row);
        }

        let class_of_all_rows = |class: usize| {
            let rows = predictions.iter().zip(&softmax).zip(targets);
            Ranking::new(rows.map(|((logits, row), &target)| {
                (row.probability(logits[class]), target as usize == class)
            }))
        };
        let mut rankings = RankingMean::default();
        for class in if classes == 2 { 1..2 } else { 0..classes } {
            rankings.add(&class_of_all_rows(class));
        }
        let rows = targets.len() as f64;
        Self {
            log_loss: log_loss.mean(),
            brier: brier.mean(),
            confidence: confidence.mean(),
            ece: reliability.expected_calibration_error(),
            roc_auc: rankings.roc_auc(),
            average_precision: rankings.average_precision(),
            top_k: std::array::from_fn(|index| {
                (TOP_K[index] < classes).then(|| top_k[index] as f64 / rows)
            }),
        }
    }
}

/// Computes the reliability bins of all rows.
pub(crate) fn reliability(predictions: &Predictions<'_>, targets: &[u32]) -> Reliability {
    let mut reliability = Reliability::default();
    for (logits, &target) in predictions.iter().zip(targets) {
        let hit = argmax(logits) == Some(target as usize);
        reliability.update(SoftmaxRow::new(logits).confidence(), hit);
    }
    reliability
}

/// Computes the squared distance between the probabilities and the one-hot target, halved for two
/// classes, whose errors are equal (scikit-learn's `scale_by_half="auto"`).
fn squared_error(row: &SoftmaxRow, logits: &[f32], target: usize) -> f64 {
    let squared = logits.iter().enumerate().map(|(class, &logit)| {
        let wanted = if class == target { 1.0 } else { 0.0 };
        (row.probability(logit) - wanted).powi(2)
    });
    squared.sum::<f64>() * if logits.len() < 3 { 0.5 } else { 1.0 }
}

/// Returns the number of classes ranked before the target. Among equal logits the later class comes
/// first, as in scikit-learn's `top_k_accuracy_score`.
fn rank(logits: &[f32], target: usize) -> usize {
    let wanted = logits[target];
    let (before, after) = logits.split_at(target);
    before.iter().filter(|&&logit| logit > wanted).count()
        // The target itself is the first of these.
        + after.iter().skip(1).filter(|&&logit| logit >= wanted).count()
}
