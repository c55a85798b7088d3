//! Turns logits into a prediction and its probabilities.

/// Returns the index of the largest value, the lowest index on ties like numpy's `argmax`; `None` for
/// an empty row. NaN is never the largest.
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

/// Computes the softmax of a row of logits, `[classes]`, in f64 relative to the largest logit, so that
/// large logits do not overflow. The probabilities sum to 1 within the precision of f32.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let row = SoftmaxRow::new(logits);
    logits
        .iter()
        .map(|&logit| row.probability(logit) as f32)
        .collect()
}

/// Computes `1 / (1 + exp(-logit))` in f64, the probability of a label of a multi-label classifier.
pub fn sigmoid(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

/// Computes a row's probabilities one at a time, so that one class of all rows can be ranked without
/// keeping every probability in f64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoftmaxRow {
    largest: f64,
    sum: f64,
}

impl SoftmaxRow {
    pub(crate) fn new(logits: &[f32]) -> Self {
        let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let sum = logits
            .iter()
            .map(|&logit| (f64::from(logit) - largest).exp())
            .sum();
        Self { largest, sum }
    }

    pub(crate) fn probability(&self, logit: f32) -> f64 {
        (f64::from(logit) - self.largest).exp() / self.sum
    }

    /// Returns the probability of the largest logit.
    pub(crate) fn confidence(&self) -> f64 {
        1.0 / self.sum
    }
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
        assert_eq!(
            (sigmoid(-1e30), sigmoid(0.0), sigmoid(1e30)),
            (0.0, 0.5, 1.0)
        );
    }
}
