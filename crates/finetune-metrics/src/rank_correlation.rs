//! Spearman's rank correlation.

use crate::regression::Regression;

/// Computes the Spearman rank correlation of pairs, as `scipy.stats.spearmanr`: equal values share the
/// mean of their ranks. NaN with fewer than two pairs, if one side is constant, or if a value is NaN.
///
/// It sorts in O(pairs · log pairs) and needs 32 bytes per pair.
pub(crate) fn spearman(targets: &[f64], predictions: &[f32]) -> f64 {
    let nan = |value: &f32| value.is_nan();
    if targets.iter().any(|value| value.is_nan()) || predictions.iter().any(nan) {
        return f64::NAN;
    }
    let mut ranked = Regression::new();
    for (target, prediction) in ranks(targets).into_iter().zip(ranks(predictions)) {
        ranked.update(target, prediction);
    }
    ranked.pearson()
}

/// Ranks values, none of which is NaN, from 1; equal values get their mean rank.
fn ranks<T: PartialOrd>(values: &[T]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    // `total_cmp` would rank -0 below 0.
    order.sort_unstable_by(|&a, &b| {
        values[a]
            .partial_cmp(&values[b])
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let last = first + equal.len();
        // The mean of first + 1 ..= last.
        let rank = (first + 1 + last) as f64 / 2.0;
        for &index in equal {
            ranks[index] = rank;
        }
        first = last;
    }
    ranks
}
