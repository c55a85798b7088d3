//! A running mean with a compensated sum.

/// A streamed weighted mean in f64 with Neumaier's compensated sum, for the loss over an epoch.
///
/// Weighting a batch's mean loss by its number of rows gives the mean over rows, whatever the batch
/// sizes. The mean is NaN if the weights sum to 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    compensation: f64,
    weight: f64,
}

impl Mean {
    /// Creates a mean of no values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `value` with `weight`, such as a batch's mean loss and its number of rows.
    pub fn update(&mut self, value: f64, weight: f64) {
        let term = value * weight;
        let sum = self.sum + term;
        // A non-finite term must stay visible: its compensation would be NaN where it is infinite.
        if sum.is_finite() {
            self.compensation += if self.sum.abs() >= term.abs() {
                (self.sum - sum) + term
            } else {
                (term - sum) + self.sum
            };
        }
        self.sum = sum;
        self.weight += weight;
    }

    /// Returns the mean of the values so far; NaN without any.
    pub fn mean(&self) -> f64 {
        (self.sum + self.compensation) / self.weight
    }

    /// Returns the sum of the weights so far.
    pub fn weight(&self) -> f64 {
        self.weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_unequal_size_give_the_mean_over_rows() {
        let mut mean = Mean::new();
        mean.update(0.5, 16.0);
        mean.update(2.0, 4.0);
        assert_eq!(mean.mean(), 0.8);
        assert_eq!(mean.weight(), 20.0);
        assert!(Mean::new().mean().is_nan());
    }

    #[test]
    fn small_terms_survive_a_large_sum() {
        let mut mean = Mean::new();
        mean.update(1e16, 1.0);
        for _ in 0..1000 {
            mean.update(1.0, 1.0);
        }
        mean.update(-1e16, 1.0);
        assert_eq!(mean.mean() * mean.weight(), 1000.0);
    }

    #[test]
    fn an_infinite_loss_stays_infinite() {
        let mut mean = Mean::new();
        mean.update(f64::INFINITY, 1.0);
        mean.update(1.0, 1.0);
        assert_eq!(mean.mean(), f64::INFINITY);
    }
}
