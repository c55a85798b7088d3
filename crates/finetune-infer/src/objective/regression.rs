//! Regression, one or more values per row: squared error.

use std::fmt::Display;

use burn::Tensor;
use finetune_kernels::mean_squared_error;
use finetune_metrics::{
    Metric, MetricError, Predictions, RegressionAccumulator, RegressionSummary, Targets,
};
use finetune_models::ModelConfig;
use finetune_task::{Labels, ProblemType, Task};
use serde_json::{Value, json};

use super::{Objective, RowMetrics, TaskMetrics, check_label_count, list_outputs, wrong_labels};
use crate::{
    Accumulator, Column, Field, InferError, LossConfig, Prediction, Summary, WorstRows, WrongRow,
    prediction::by_name,
};

/// The objective of `regression`.
#[derive(Clone, Copy, Debug)]
pub struct Regression;

impl Objective for Regression {
    fn problem_type(&self) -> ProblemType {
        ProblemType::Regression
    }

    fn fits(&self, labels: &Labels) -> bool {
        matches!(labels, Labels::Values { .. })
    }

    fn made_up_labels(&self, rows: usize, outputs: usize) -> Labels {
        Labels::Values {
            width: outputs,
            values: vec![0.0; rows * outputs],
        }
    }

    fn balanced_weights(&self, _counts: &[u64], _rows: u64) -> Option<Vec<f32>> {
        None
    }

    /// Returns the number of values of all rows.
    fn denominator(&self, _config: &LossConfig, labels: &Labels) -> f64 {
        match labels {
            Labels::Values { values, .. } => values.len() as f64,
            _ => 0.0,
        }
    }

    fn loss(
        &self,
        _config: &LossConfig,
        logits: Tensor<2>,
        labels: &Labels,
        denominator: f64,
    ) -> Result<Tensor<1>, InferError> {
        let Labels::Values { width, values } = labels else {
            return Err(wrong_labels(self));
        };
        check_label_count(&logits, *width, values)?;
        let values: Vec<_> = values.iter().map(|&value| value as f32).collect();
        Ok(mean_squared_error(logits, &values, denominator))
    }

    fn distance(
        &self,
        logits: Tensor<2>,
        teacher: &[f32],
        _temperature: f64,
        denominator: f64,
    ) -> Result<Tensor<1>, InferError> {
        check_label_count(&logits, logits.dims()[1], teacher)?;
        Ok(mean_squared_error(logits, teacher, denominator))
    }

    fn predicted_labels(&self, logits: &[f32], outputs: usize) -> Labels {
        Labels::Values {
            width: outputs,
            values: logits.iter().map(|&value| f64::from(value)).collect(),
        }
    }

    fn agreement(&self) -> Metric {
        Metric::Pearson
    }

    fn accumulator(
        &self,
        task: &Task,
        _thresholds: Option<&[f64]>,
    ) -> Result<Accumulator, InferError> {
        let all = RegressionAccumulator::new(task.num_labels());
        Ok(Accumulator::new(all))
    }

    fn default_metric(&self) -> Metric {
        Metric::Mse
    }

    fn defined_metric(&self) -> Metric {
        Metric::Mse
    }

    fn compared(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("pearson", "Pearson"),
            ("spearman", "Spearman"),
            ("mse", "MSE"),
            ("mae", "MAE"),
        ]
    }

    fn prediction(&self, _config: &ModelConfig, logits: &[f32]) -> Prediction {
        Prediction {
            label: String::new(),
            labels: None,
            confidence: logits.first().copied().unwrap_or(f32::NAN),
            probabilities: Vec::new(),
            logits: logits.to_vec(),
        }
    }

    fn predicted(&self, prediction: &Prediction, task: &Task) -> Value {
        match task.num_labels() {
            1 => json!(prediction.logits.first()),
            _ => by_name(task, &prediction.logits),
        }
    }

    fn columns(&self, task: &Task) -> Vec<Column> {
        match task.num_labels() {
            1 => vec![Column::new("prediction", Field::Output(0))],
            _ => Column::each(task.names(), "prediction_", Field::Output).collect(),
        }
    }

    fn shown_columns(&self, task: &Task) -> Vec<Column> {
        match task.num_labels() {
            1 => self.columns(task),
            _ => Column::each(task.names(), "", Field::Output).collect(),
        }
    }

    fn describe(&self, task: &Task) -> String {
        list_outputs(task, "values")
    }
}

impl RowMetrics for RegressionAccumulator {
    fn update(
        &mut self,
        logits: &[f32],
        width: usize,
        labels: &Labels,
    ) -> Result<bool, MetricError> {
        match labels {
            Labels::Values {
                width: labels,
                values,
            } if *labels == width => {
                for (row, targets) in logits.chunks(width).zip(values.chunks(width)) {
                    self.update(row, targets, row_loss(row, targets))?;
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn summary(&self) -> Summary {
        Summary::new(self.summary())
    }

    fn predictions(&self) -> Predictions<'_> {
        self.predictions()
    }

    /// Formats all metrics on one line.
    fn report(&self, _shown: &dyn Fn(&str) -> String) -> String {
        let summary = self.summary();
        format!(
            "mse {:.4}  rmse {:.4}  mae {:.4}  R² {:.4}  pearson {:.4}  spearman {:.4}\n",
            summary.mse, summary.rmse, summary.mae, summary.r2, summary.pearson, summary.spearman
        )
    }

    /// Returns the rows whose outputs are farthest from their targets, by root mean squared error.
    fn worst_rows(&self, count: usize) -> WorstRows {
        let rows = self.predictions();
        let mut found = Vec::new();
        if let Targets::Values(targets) = rows.targets() {
            for (index, (row, targets)) in
                rows.iter().zip(targets.chunks(rows.outputs())).enumerate()
            {
                found.push(WrongRow {
                    row: index,
                    label: format_values(targets),
                    prediction: format_values(row),
                    size: row_loss(row, targets).sqrt(),
                });
            }
        }
        WorstRows::new("error", found, count)
    }
}

impl TaskMetrics for RegressionSummary {
    fn get(&self, metric: Metric) -> Option<f64> {
        self.get(metric)
    }

    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("mse", self.mse),
            ("mae", self.mae),
            ("pearson", self.pearson),
        ]
    }

    fn json(&self) -> Value {
        json!(self)
    }
}

/// Formats values for a table.
fn format_values<T: Display>(values: &[T]) -> String {
    let formatted: Vec<_> = values.iter().map(|value| format!("{value:.4}")).collect();
    formatted.join(", ")
}

/// Returns the mean squared error of one row's outputs.
fn row_loss(predictions: &[f32], targets: &[f64]) -> f64 {
    let pairs = predictions.iter().zip(targets);
    let errors = pairs.map(|(&prediction, &target)| f64::from(prediction) - target);
    errors.map(|error| error * error).sum::<f64>() / predictions.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_of_a_row_is_the_mean_over_its_outputs() {
        assert_eq!(row_loss(&[1.0, 2.0], &[0.0, 4.0]), 2.5);
    }

    #[test]
    fn one_value_is_a_number_and_several_are_an_object() {
        let prediction = Prediction {
            label: String::new(),
            labels: None,
            confidence: 1.5,
            probabilities: Vec::new(),
            logits: vec![1.5, -2.0],
        };
        let task = |names: &[&str]| {
            let names = names.iter().map(ToString::to_string).collect();
            Task::new(ProblemType::Regression, names)
        };
        assert_eq!(Regression.predicted(&prediction, &task(&["a"])), json!(1.5));
        assert_eq!(
            Regression.predicted(&prediction, &task(&["a", "b"])),
            json!({"a": 1.5, "b": -2.0})
        );
    }
}
