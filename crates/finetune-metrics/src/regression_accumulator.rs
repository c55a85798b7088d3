//! Evaluates a regression model with one or several outputs: predictions in, a summary out.

use serde::Serialize;

use finetune_task::Targets;

use crate::error::MetricError;
use crate::mean::Mean;
use crate::name::Metric;
use crate::predictions::Predictions;
use crate::rank_correlation::spearman;
use crate::regression::Regression;

/// Accumulates a regression model's predictions and losses row by row for a [`RegressionSummary`].
///
/// It keeps `12 · outputs` bytes per row; [`summary`](Self::summary) sorts in O(rows · log rows) per
/// output and temporarily needs 40 more bytes per row.
#[derive(Clone, Debug)]
pub struct RegressionAccumulator {
    outputs: Vec<Regression>,
    loss: Mean,
    rows: u64,
    /// `[rows, outputs]` each.
    predictions: Vec<f32>,
    targets: Vec<f64>,
}

impl RegressionAccumulator {
    /// Creates an accumulator for a model with this number of outputs.
    pub fn new(outputs: usize) -> Self {
        Self {
            outputs: vec![Regression::new(); outputs],
            loss: Mean::new(),
            rows: 0,
            predictions: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Reserves memory for exactly `rows` more rows.
    pub fn reserve(&mut self, rows: usize) {
        let values = rows.saturating_mul(self.outputs.len());
        self.predictions.reserve_exact(values);
        self.targets.reserve_exact(values);
    }

    /// Adds a row: the model's outputs and their targets, `[outputs]` each, and the row's loss. A NaN or
    /// infinity is counted and shows in the metrics.
    ///
    /// # Errors
    /// Fails with [`MetricError::OutputCount`] if a length is not the number of outputs. The row is then
    /// not counted.
    pub fn update(
        &mut self,
        predictions: &[f32],
        targets: &[f64],
        loss: f64,
    ) -> Result<(), MetricError> {
        let expected = self.outputs.len();
        for (what, found) in [
            ("predictions", predictions.len()),
            ("targets", targets.len()),
        ] {
            if found != expected {
                return Err(MetricError::OutputCount {
                    what,
                    expected,
                    found,
                });
            }
        }
        for (output, (&prediction, &target)) in
            self.outputs.iter_mut().zip(predictions.iter().zip(targets))
        {
            output.update(target, prediction.into());
        }
        self.rows += 1;
        self.loss.update(loss, 1.0);
        self.predictions.extend_from_slice(predictions);
        self.targets.extend_from_slice(targets);
        Ok(())
    }

    /// Returns the streamed metrics of each output so far, `[outputs]`.
    pub fn outputs(&self) -> &[Regression] {
        &self.outputs
    }

    /// Returns all rows so far, for a [`CustomMetric`](crate::CustomMetric).
    pub fn predictions(&self) -> Predictions<'_> {
        let targets = Targets::Values(&self.targets);
        Predictions::from_parts(&self.predictions, self.outputs.len(), targets)
    }

    /// Computes all metrics over the rows so far.
    pub fn summary(&self) -> RegressionSummary {
        let width = self.outputs.len();
        let per_output: Vec<OutputScores> = (0..width)
            .map(|output| {
                let regression = &self.outputs[output];
                OutputScores {
                    mse: regression.mse(),
                    rmse: regression.rmse(),
                    mae: regression.mae(),
                    r2: regression.r2(),
                    pearson: regression.pearson(),
                    spearman: spearman(
                        &column(&self.targets, output, width),
                        &column(&self.predictions, output, width),
                    ),
                }
            })
            .collect();
        let mean = |score: fn(&OutputScores) -> f64| {
            per_output.iter().map(score).sum::<f64>() / width as f64
        };
        RegressionSummary {
            rows: self.rows,
            loss: self.loss.mean(),
            mse: mean(|scores| scores.mse),
            rmse: mean(|scores| scores.rmse),
            mae: mean(|scores| scores.mae),
            r2: mean(|scores| scores.r2),
            pearson: mean(|scores| scores.pearson),
            spearman: mean(|scores| scores.spearman),
            per_output: if width > 1 { per_output } else { Vec::new() },
        }
    }
}

/// Column `output` of a matrix of `width` columns.
fn column<T: Copy>(values: &[T], output: usize, width: usize) -> Vec<T> {
    values.iter().skip(output).step_by(width).copied().collect()
}

/// The metrics of a regressor over a data set; NaN (JSON: null) where undefined.
///
/// With several outputs, each metric is the unweighted mean over them (scikit-learn's
/// `multioutput="uniform_average"`), and NaN if it is undefined for one of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegressionSummary {
    /// Number of rows.
    pub rows: u64,
    /// Mean loss over rows.
    pub loss: f64,
    /// Mean squared error.
    pub mse: f64,
    /// Root mean squared error; with several outputs, the mean of the roots.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Coefficient of determination.
    pub r2: f64,
    /// Pearson correlation.
    pub pearson: f64,
    /// Spearman rank correlation.
    pub spearman: f64,
    /// Each output's metrics; empty (and not serialized) for a single output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per_output: Vec<OutputScores>,
}

/// The metrics of one of several outputs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OutputScores {
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
    /// Spearman rank correlation.
    pub spearman: f64,
}

impl RegressionSummary {
    /// Returns the value of a metric, or `None` if it belongs to another task.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Loss => Some(self.loss),
            Metric::Mse => Some(self.mse),
            Metric::Rmse => Some(self.rmse),
            Metric::Mae => Some(self.mae),
            Metric::R2 => Some(self.r2),
            Metric::Pearson => Some(self.pearson),
            Metric::Spearman => Some(self.spearman),
            _ => None,
        }
    }
}
