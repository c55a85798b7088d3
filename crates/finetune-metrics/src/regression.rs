//! Streamed metrics of one output of a regressor.

use crate::mean::Mean;

/// Streamed MSE, RMSE, MAE, R² and Pearson correlation, in one pass.
///
/// Variances and the covariance are kept as centred moments (Welford's update), so that a large
/// common offset does not cancel away the digits. Without rows every metric is NaN.
#[derive(Clone, Copy, Debug, Default)]
pub struct Regression {
    rows: u64,
    squared: Mean,
    absolute: Mean,
    mean_target: f64,
    mean_prediction: f64,
    /// Sums of squared deviations and of their product.
    moment_target: f64,
    moment_prediction: f64,
    comoment: f64,
}

impl Regression {
    /// No rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one row.
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

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Mean squared error.
    pub fn mse(&self) -> f64 {
        self.squared.mean()
    }

    /// Root of the mean squared error, in the unit of the target.
    pub fn rmse(&self) -> f64 {
        self.mse().sqrt()
    }

    /// Mean absolute error, in the unit of the target.
    pub fn mae(&self) -> f64 {
        self.absolute.mean()
    }

    /// Coefficient of determination: the share of the target's variance that is explained.
    ///
    /// As scikit-learn's `r2_score`: where all targets are equal it is 1 for perfect predictions
    /// and 0 otherwise; NaN with fewer than two rows.
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

    /// Pearson correlation of targets and predictions, within [-1, 1]; NaN with fewer than two
    /// rows or where one of the two is constant (as `scipy.stats.pearsonr`).
    pub fn pearson(&self) -> f64 {
        if self.rows < 2 || self.moment_target == 0.0 || self.moment_prediction == 0.0 {
            return f64::NAN;
        }
        let correlation =
            self.comoment / (self.moment_target.sqrt() * self.moment_prediction.sqrt());
        correlation.clamp(-1.0, 1.0)
    }
}
