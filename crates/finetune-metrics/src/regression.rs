//! Streamed metrics of a single regression output.

use crate::mean::Mean;

/// MSE, RMSE, MAE, R² and Pearson correlation, streamed in one pass.
///
/// Variances and the covariance are kept as centred moments (Welford's update), so that a large common
/// offset causes no cancellation. Without rows, every metric is NaN.
#[derive(Clone, Copy, Debug, Default)]
pub struct Regression {
    rows: u64,
    squared: Mean,
    absolute: Mean,
    mean_target: f64,
    mean_prediction: f64,
    /// The sums of squared deviations and of their products.
    moment_target: f64,
    moment_prediction: f64,
    comoment: f64,
}

impl Regression {
    /// Creates metrics without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row.
    pub fn update(&mut self, target: f64, prediction: f64) {
        let error = prediction - target;
        self.squared.update(error * error, 1.0);
        self.absolute.update(error.abs(), 1.0);
        self.rows += 1;
        let rows = self.rows as f64;
        let from_old_target = target - self.mean_target;
        let from_old_prediction = prediction - self.mean_prediction;
        self.mean_target += from_old_target / rows;
        self.mean_prediction += from_old_prediction / rows;
        let from_new_prediction = prediction - self.mean_prediction;
        self.moment_target += from_old_target * (target - self.mean_target);
        self.moment_prediction += from_old_prediction * from_new_prediction;
        self.comoment += from_old_target * from_new_prediction;
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the mean squared error.
    pub fn mse(&self) -> f64 {
        self.squared.mean()
    }

    /// Returns the root mean squared error, in the unit of the target.
    pub fn rmse(&self) -> f64 {
        self.mse().sqrt()
    }

    /// Returns the mean absolute error, in the unit of the target.
    pub fn mae(&self) -> f64 {
        self.absolute.mean()
    }

    /// Returns the coefficient of determination, the share of the target's variance that is explained.
    ///
    /// Like scikit-learn's `r2_score`, if all targets are equal it is 1 for perfect predictions and 0
    /// otherwise; it is NaN with fewer than two rows.
    pub fn r2(&self) -> f64 {
        if self.rows < 2 {
            return f64::NAN;
        }
        let residual = self.mse() * self.rows as f64;
        if self.moment_target == 0.0 {
            return if residual == 0.0 { 1.0 } else { 0.0 };
        }
        1.0 - residual / self.moment_target
    }

    /// Returns the Pearson correlation of targets and predictions, within [-1, 1]; NaN with fewer than
    /// two rows or if one of the two is constant (as `scipy.stats.pearsonr`).
    pub fn pearson(&self) -> f64 {
        if self.rows < 2 || self.moment_target == 0.0 || self.moment_prediction == 0.0 {
            return f64::NAN;
        }
        let correlation =
            self.comoment / (self.moment_target.sqrt() * self.moment_prediction.sqrt());
        correlation.clamp(-1.0, 1.0)
    }
}
