//! Streamed metrics of a regressor.

use serde::Serialize;

use crate::mean::Mean;
use crate::name::Metric;

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

/// Takes a regressor's predictions and losses row by row and gives a [`RegressionSummary`].
#[derive(Clone, Copy, Debug, Default)]
pub struct RegressionAccumulator {
    regression: Regression,
    loss: Mean,
}

impl RegressionAccumulator {
    /// No rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one row: the model's output, the target, and the row's loss.
    pub fn update(&mut self, prediction: f32, target: f32, loss: f64) {
        self.regression.update(target.into(), prediction.into());
        self.loss.update(loss, 1.0);
    }

    /// The metrics so far.
    pub fn regression(&self) -> &Regression {
        &self.regression
    }

    /// All metrics over the rows so far.
    pub fn summary(&self) -> RegressionSummary {
        RegressionSummary {
            rows: self.regression.rows(),
            loss: self.loss.mean(),
            mse: self.regression.mse(),
            rmse: self.regression.rmse(),
            mae: self.regression.mae(),
            r2: self.regression.r2(),
            pearson: self.regression.pearson(),
        }
    }
}

/// The metrics of a regressor over a data set; NaN (JSON: null) where undefined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RegressionSummary {
    /// Number of rows.
    pub rows: u64,
    /// Mean loss over rows.
    pub loss: f64,
    /// Mean squared error.
    pub mse: f64,
    /// Root mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Coefficient of determination.
    pub r2: f64,
    /// Pearson correlation.
    pub pearson: f64,
}

impl RegressionSummary {
    /// The value of a metric; `None` for a classification metric.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Loss => Some(self.loss),
            Metric::Mse => Some(self.mse),
            Metric::Rmse => Some(self.rmse),
            Metric::Mae => Some(self.mae),
            Metric::R2 => Some(self.r2),
            Metric::Pearson => Some(self.pearson),
            _ => None,
        }
    }
}
