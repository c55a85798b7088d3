//! Logistic regression as scikit-learn's `LogisticRegression` defines it.

use super::lbfgs::minimize;

/// Largest slope at the minimum. scikit-learn stops at 1e-4.
const TOLERANCE: f64 = 1e-7;
/// Bias of a class without rows: its probability is negligible.
const ABSENT: f64 = -20.0;

/// The rows of a regression.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// Features, `[rows, width]` in row-major order.
    pub features: Vec<f64>,
    /// Number of features of a row.
    pub width: usize,
    /// The class of each row.
    pub classes: Vec<u32>,
}

/// A linear layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LinearLayer {
    /// `[classes, width]` in row-major order.
    pub weight: Vec<f64>,
    /// `[classes]`
    pub bias: Vec<f64>,
}

/// Fits a linear layer whose softmax gives the probability of each of `number` classes: the minimum of
/// `c · Σ cross-entropy + ½ · ‖weight‖²` over all rows. As in scikit-learn, biases are not penalized, and
/// two classes share one vector of weights.
pub(super) fn fit(rows: &Rows, number: usize, c: f64) -> LinearLayer {
    let mut present: Vec<u32> = rows.classes.clone();
    present.sort_unstable();
    present.dedup();
    let place = |class: u32| present.binary_search(&class).unwrap_or_default();
    let targets: Vec<usize> = rows.classes.iter().map(|&class| place(class)).collect();
    let vectors = match present.len() {
        0 | 1 => 0,
        2 => 1,
        more => more,
    };
    let width = rows.width;
    let size = width + 1;
    let start = vec![0.0; vectors * size];
    let found = minimize(start, TOLERANCE * c.max(1.0), |x, gradient| {
        loss(rows, &targets, x, c, gradient)
    });
    let mut layer = LinearLayer {
        weight: vec![0.0; number * width],
        bias: vec![ABSENT; number],
    };
    for (index, &class) in present.iter().enumerate() {
        let class = class as usize;
        // Half of the difference for each of two classes.
        let (vector, scale) = match vectors {
            0 => (None, 1.0),
            1 => (Some(0), index as f64 - 0.5),
            _ => (Some(index), 1.0),
        };
        layer.bias[class] = 0.0;
        if let Some(vector) = vector {
            let values = &found[vector * size..(vector + 1) * size];
            let weight = &mut layer.weight[class * width..(class + 1) * width];
            for (weight, value) in weight.iter_mut().zip(values) {
                *weight = scale * value;
            }
            layer.bias[class] = scale * values[width];
        }
    }
    layer
}

/// Computes the penalized loss at `x`, `[vectors, width + 1]` with the bias of each last, and its gradient.
/// With one vector its score is the difference between those of the two classes.
fn loss(rows: &Rows, targets: &[usize], x: &[f64], c: f64, gradient: &mut [f64]) -> f64 {
    let (width, size) = (rows.width, rows.width + 1);
    let vectors = x.len() / size;
    gradient.fill(0.0);
    let mut sum = 0.0;
    let mut scores = vec![0.0; vectors.max(2)];
    for (row, &target) in rows.features.chunks(width).zip(targets) {
        // The first of two classes has the score 0.
        let first = usize::from(vectors == 1);
        for (vector, values) in x.chunks(size).enumerate() {
            let product: f64 = row.iter().zip(values).map(|(a, b)| a * b).sum();
            scores[first + vector] = product + values[width];
        }
        let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
        sum += total.ln() + highest - scores[target];
        for (vector, slopes) in gradient.chunks_mut(size).enumerate() {
            let class = first + vector;
            let probability = (scores[class] - highest).exp() / total;
            let slope = c * (probability - f64::from(u8::from(class == target)));
            for (sum, feature) in slopes.iter_mut().zip(row) {
                *sum += slope * feature;
            }
            slopes[width] += slope;
        }
    }
    let mut penalty = 0.0;
    for (slopes, values) in gradient.chunks_mut(size).zip(x.chunks(size)) {
        for (slope, value) in slopes.iter_mut().zip(&values[..width]) {
            *slope += value;
            penalty += value * value / 2.0;
        }
    }
    c * sum + penalty
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three classes in two dimensions, which overlap.
    fn rows(classes: &[u32]) -> Rows {
        let features = [
            [1.0, 0.2],
            [0.8, -0.4],
            [-0.5, 0.9],
            [-0.1, 0.6],
            [-0.7, -0.8],
            [0.3, -1.0],
            [0.4, 0.5],
        ];
        Rows {
            features: features.concat(),
            width: 2,
            classes: classes.to_vec(),
        }
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{found:?} {expected:?}");
        }
    }

    /// The coefficients of scikit-learn 1.9's `LogisticRegression(C=c, tol=1e-12, solver="newton-cg")`.
    #[test]
    fn coefficients_are_those_of_scikit_learn() {
        for (c, weight, bias) in [
            (1.0, [-1.005835852, 0.678979397], 0.510608829),
            (10.0, [-3.208891145, 2.112371849], 1.318458856),
        ] {
            let layer = fit(&rows(&[0, 0, 1, 1, 1, 0, 1]), 2, c);
            let halves = [-0.5, 0.5].map(|half| weight.map(|value| half * value));
            close(&layer.weight, &halves.concat());
            close(&layer.bias, &[-0.5 * bias, 0.5 * bias]);
        }
        let three = rows(&[0, 0, 1, 1, 2, 2, 0]);
        let layer = fit(&three, 3, 1.0);
        close(
            &layer.weight,
            &[
                0.908674140,
                0.172484704,
                -0.510841255,
                0.758397264,
                -0.397832884,
                -0.930881967,
            ],
        );
        close(&layer.bias, &[0.180332583, -0.068301490, -0.112031094]);
        let layer = fit(&three, 3, 0.5);
        close(
            &layer.weight,
            &[
                0.583089871,
                0.106397584,
                -0.324932548,
                0.501146124,
                -0.258157323,
                -0.607543708,
            ],
        );
        close(&layer.bias, &[0.201589028, -0.088964730, -0.112624298]);
    }

    /// A class that the rows lack is never predicted, and changes nothing for the others.
    #[test]
    fn classes_without_rows_are_left_out() {
        let two = fit(&rows(&[0, 0, 1, 1, 1, 0, 1]), 2, 1.0);
        let three = fit(&rows(&[0, 0, 2, 2, 2, 0, 2]), 3, 1.0);
        assert_eq!(three.weight[..2], two.weight[..2]);
        assert_eq!(three.weight[2..4], [0.0; 2]);
        assert_eq!(three.weight[4..], two.weight[2..]);
        assert_eq!(three.bias, [two.bias[0], ABSENT, two.bias[1]]);
    }
}
