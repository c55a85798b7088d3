//! Logistic regression on hashed features, trained by AdaGrad: cheap, and the same everywhere.

/// Passes over the rows.
const EPOCHS: usize = 3;
const LEARNING_RATE: f32 = 0.3;

/// The weights `[features, classes]`, with the sums of their squared gradients.
pub(crate) struct Model {
    classes: usize,
    weights: Vec<f32>,
    squares: Vec<f32>,
}

/// A row for the model: its features, and its class.
pub(crate) type Labelled<'a> = (&'a [u32], u32);

impl Model {
    /// Trains a model on these rows, in this order.
    pub(crate) fn train(classes: usize, bits: u32, rows: &[Labelled<'_>]) -> Self {
        // The last feature is one that every row has.
        let size = ((1 << bits) + 1) * classes;
        let mut model = Self {
            classes,
            weights: vec![0.0; size],
            squares: vec![1e-3; size],
        };
        let mut gradient = vec![0.0; classes];
        for epoch in 0..EPOCHS {
            // Neighbouring rows often have the same class, so a pass strides through them.
            let stride = stride(rows.len(), epoch);
            for at in 0..rows.len() {
                let (features, class) = rows[(at * stride + epoch) % rows.len()];
                model.probabilities(features, &mut gradient);
                if let Some(own) = gradient.get_mut(class as usize) {
                    *own -= 1.0;
                }
                model.step(features, &gradient);
            }
        }
        model
    }

    /// Writes the probability of each class.
    pub(crate) fn probabilities(&self, features: &[u32], out: &mut [f32]) {
        out.fill(0.0);
        let scale = scale(features);
        for feature in features {
            let row = self.row(*feature as usize);
            for (sum, weight) in out.iter_mut().zip(row) {
                *sum += weight * scale;
            }
        }
        for (sum, weight) in out.iter_mut().zip(self.row(self.bias())) {
            *sum += weight;
        }
        let most = out.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        out.iter_mut()
            .for_each(|value| *value = (*value - most).exp());
        let sum: f32 = out.iter().sum();
        out.iter_mut().for_each(|value| *value /= sum);
    }

    fn bias(&self) -> usize {
        self.weights.len() / self.classes - 1
    }

    fn row(&self, feature: usize) -> &[f32] {
        &self.weights[feature * self.classes..][..self.classes]
    }

    fn step(&mut self, features: &[u32], gradient: &[f32]) {
        let scale = scale(features);
        let all = features.iter().map(|feature| (*feature as usize, scale));
        for (feature, value) in all.chain([(self.bias(), 1.0)]) {
            let range = feature * self.classes..(feature + 1) * self.classes;
            let weights = &mut self.weights[range.clone()];
            let squares = &mut self.squares[range];
            for ((weight, square), gradient) in weights.iter_mut().zip(squares).zip(gradient) {
                let gradient = gradient * value;
                *square += gradient * gradient;
                *weight -= LEARNING_RATE * gradient / square.sqrt();
            }
        }
    }
}

/// Rows count equally, however long.
fn scale(features: &[u32]) -> f32 {
    1.0 / (features.len().max(1) as f32).sqrt()
}

/// Returns a step through `rows` rows that meets each once.
fn stride(rows: usize, epoch: usize) -> usize {
    const PRIMES: [usize; 5] = [7919, 104_729, 15_485_863, 32_452_843, 49_979_687];
    let prime = PRIMES[epoch % PRIMES.len()];
    match rows.is_multiple_of(prime) {
        true => 1,
        false => prime % rows.max(1),
    }
    .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_decides_is_learned() {
        let rows: Vec<(Vec<u32>, u32)> = (0..200)
            .map(|row| (vec![row % 2, 10 + row % 7], row % 2))
            .collect();
        let rows: Vec<Labelled<'_>> = rows.iter().map(|(f, c)| (f.as_slice(), *c)).collect();
        let model = Model::train(2, 6, &rows);
        let mut out = [0.0; 2];
        model.probabilities(&[1, 12], &mut out);
        assert!(out[1] > 0.95, "{out:?}");
        assert!((out[0] + out[1] - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_stride_meets_every_row() {
        for rows in [1, 2, 3, 7919, 10_000] {
            for epoch in 0..EPOCHS {
                let stride = stride(rows, epoch);
                let mut met: Vec<usize> =
                    (0..rows).map(|at| (at * stride + epoch) % rows).collect();
                met.sort_unstable();
                met.dedup();
                assert_eq!(met.len(), rows, "{rows} {epoch}");
            }
        }
    }
}
