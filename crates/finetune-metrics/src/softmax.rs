//! From logits to a prediction and its probabilities.

/// Index of the largest value, the lowest one on ties, as numpy's `argmax`; `None` for an empty
/// row. NaN is never the largest.
pub fn argmax(row: &[f32]) -> Option<usize> {
    let mut best = None;
    for (index, &value) in row.iter().enumerate() {
        if !value.is_nan() && best.is_none_or(|(_, most)| value > most) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
        .or((!row.is_empty()).then_some(0))
}

/// Softmax of one row of logits `[classes]`, computed in f64 relative to the largest logit, so
/// that large logits do not overflow. The probabilities sum to 1 within f32.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits
        .iter()
        .map(|&logit| f64::from(logit - largest).exp())
        .collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials
        .iter()
        .map(|exponential| (exponential / sum) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lowest_index() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(argmax(&[0.0, -0.0]), Some(0));
        assert_eq!(argmax(&[f32::NEG_INFINITY; 2]), Some(0));
        assert_eq!(argmax(&[f32::NAN, -1.0]), Some(1));
        assert_eq!(argmax(&[]), None);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let row = softmax(&[1e30, 1e30, -1e30]);
        assert_eq!(row, [0.5, 0.5, 0.0]);
        let row = softmax(&[1.0, 2.0, 3.0]);
        // scipy.special.softmax([1, 2, 3])
        for (value, expected) in row.iter().zip([0.09003057, 0.24472847, 0.66524096]) {
            assert!((value - expected).abs() < 1e-7, "{value} {expected}");
        }
    }
}
