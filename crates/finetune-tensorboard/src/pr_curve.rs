//! Computes precision and recall at evenly spaced thresholds, like `plugins/pr_curve/summary.py`.

use crate::error::TensorboardError;

/// TensorBoard's default number of thresholds, which are 0.005 apart.
pub const DEFAULT_NUM_THRESHOLDS: usize = 201;

/// Maximum number of thresholds; beyond it, adjacent thresholds would be the same f32.
const MAX_THRESHOLDS: usize = 1 << 24;
/// Minimum divisor of a ratio, which makes precision 0 if nothing is predicted as positive.
const MIN_COUNT: f64 = 1e-7;

/// Returns the rows true positives, false positives, true negatives, false negatives, precision and
/// recall, with a column for each threshold from 0 to 1. A prediction counts as positive if it is at
/// least the threshold.
///
/// # Errors
/// Fails if the lengths differ, if a prediction is not a probability, or if the number of thresholds is
/// out of range.
pub fn curve(
    tag: &str,
    labels: &[bool],
    predictions: &[f32],
    num_thresholds: usize,
) -> Result<[Vec<f32>; 6], TensorboardError> {
    check(tag, labels, predictions, num_thresholds)?;
    // For positives and negatives: the number of predictions whose largest passed threshold is this one.
    let mut tp = vec![0u64; num_thresholds];
    let mut fp = vec![0u64; num_thresholds];
    let last = num_thresholds - 1;
    for (&label, &prediction) in labels.iter().zip(predictions) {
        let threshold = ((prediction * last as f32) as usize).min(last);
        let counts = if label { &mut tp } else { &mut fp };
        counts[threshold] += 1;
    }
    for i in (0..last).rev() {
        tp[i] += tp[i + 1];
        fp[i] += fp[i + 1];
    }

    let (positives, negatives) = (tp[0], fp[0]);
    let ratio = |part: u64, whole: u64| (part as f64 / (whole as f64).max(MIN_COUNT)) as f32;
    let row = |value: &dyn Fn(u64, u64) -> f32| {
        tp.iter().zip(&fp).map(|(&tp, &fp)| value(tp, fp)).collect()
    };
    Ok([
        row(&|tp, _| tp as f32),
        row(&|_, fp| fp as f32),
        row(&|_, fp| (negatives - fp) as f32),
        row(&|tp, _| (positives - tp) as f32),
        row(&|tp, fp| ratio(tp, tp + fp)),
        row(&|tp, _| ratio(tp, positives)),
    ])
}

fn check(
    tag: &str,
    labels: &[bool],
    predictions: &[f32],
    num_thresholds: usize,
) -> Result<(), TensorboardError> {
    let tag = || tag.to_string();
    if !(2..=MAX_THRESHOLDS).contains(&num_thresholds) {
        return Err(TensorboardError::CurveThresholds {
            tag: tag(),
            num_thresholds,
        });
    }
    if labels.len() != predictions.len() {
        return Err(TensorboardError::CurveLength {
            tag: tag(),
            labels: labels.len(),
            predictions: predictions.len(),
        });
    }
    match predictions.iter().position(|p| !(0.0..=1.0).contains(p)) {
        Some(index) => Err(TensorboardError::CurvePrediction {
            tag: tag(),
            index,
            value: predictions[index],
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are counted by hand at 0, 0.25, 0.5, 0.75, 1.
    #[test]
    fn counts_what_is_at_or_above_each_threshold() {
        let labels = [true, false, true, true, false, false];
        let predictions = [0.9, 0.8, 0.5, 0.3, 0.25, 0.1];
        let [tp, fp, tn, fneg, precision, recall] = curve("pr", &labels, &predictions, 5).unwrap();
        assert_eq!(tp, [3.0, 3.0, 2.0, 1.0, 0.0]);
        assert_eq!(fp, [3.0, 2.0, 1.0, 1.0, 0.0]);
        assert_eq!(tn, [0.0, 1.0, 2.0, 2.0, 3.0]);
        assert_eq!(fneg, [0.0, 0.0, 1.0, 2.0, 3.0]);
        assert_eq!(precision, [0.5, 0.6, 2.0 / 3.0, 0.5, 0.0]);
        assert_eq!(recall, [1.0, 1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0]);
    }

    #[test]
    fn one_is_at_the_last_threshold() {
        let [tp, fp, ..] = curve("pr", &[true, false], &[1.0, 0.0], 2).unwrap();
        assert_eq!((tp, fp), (vec![1.0, 1.0], vec![1.0, 0.0]));
        let [tp, ..] = curve("pr", &[true], &[1.0], 1 << 16).unwrap();
        assert_eq!(tp[(1 << 16) - 1], 1.0);
    }

    #[test]
    fn without_rows_or_positives_all_ratios_are_zero() {
        let empty = curve("pr", &[], &[], 3).unwrap();
        assert!(empty.iter().all(|row| row == &[0.0; 3]));
        let [.., precision, recall] = curve("pr", &[false], &[0.7], 3).unwrap();
        assert_eq!((precision, recall), (vec![0.0; 3], vec![0.0; 3]));
    }

    #[test]
    fn bad_input_is_named() {
        let message = |labels: &[bool], predictions: &[f32], thresholds| {
            curve("pr", labels, predictions, thresholds)
                .unwrap_err()
                .to_string()
        };
        assert!(message(&[true], &[], 5).contains("1 labels and 0 predictions"));
        assert!(
            message(&[true; 2], &[0.5, 1.5], 5).contains("prediction 1 of the curve \"pr\" is 1.5")
        );
        assert!(message(&[true], &[f32::NAN], 5).contains("is NaN"));
        assert!(message(&[true], &[0.5], 1).contains("cannot have 1 thresholds"));
        assert!(message(&[true], &[0.5], MAX_THRESHOLDS + 1).contains("16777216"));
    }
}
