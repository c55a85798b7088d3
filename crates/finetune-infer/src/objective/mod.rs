//! Objectives: the loss, metrics and predictions of each task, one file per task.
//!
//! To add an objective, implement [`Objective`] in a new file here and list it in [`ALL`].

pub(crate) mod loss;
pub(crate) mod masked_tokens;
mod metrics;
mod multi_label;
mod regression;
mod single_label;

use std::fmt;

use burn::Tensor;
use finetune_metrics::Metric;
use finetune_models::ModelConfig;
use finetune_task::{Labels, ProblemType, Task};
use serde_json::Value;

pub(crate) use self::metrics::{RowMetrics, TaskMetrics};
pub use self::{multi_label::MultiLabel, regression::Regression, single_label::SingleLabel};
use crate::{Accumulator, Column, InferError, LossConfig, Prediction};

/// All objectives.
pub const ALL: [&dyn Objective; 3] = [&SingleLabel, &MultiLabel, &Regression];

/// Returns the objective of a problem type.
pub fn of(problem_type: ProblemType) -> &'static dyn Objective {
    let matches = |objective: &&&'static dyn Objective| objective.problem_type() == problem_type;
    // A test checks that every problem type has an objective.
    ALL.iter().find(matches).copied().unwrap_or(&SingleLabel)
}

/// Returns the objective that these labels belong to; `None` for rows without labels.
pub fn of_labels(labels: &Labels) -> Option<&'static dyn Objective> {
    ALL.into_iter().find(|objective| objective.fits(labels))
}

/// Loss, metrics and predictions of a task.
pub trait Objective: fmt::Debug + Send + Sync {
    /// Returns the problem type of the objective.
    fn problem_type(&self) -> ProblemType;

    /// Returns whether labels are of the objective's kind.
    fn fits(&self, labels: &Labels) -> bool;

    /// Returns placeholder labels of `rows` rows with `outputs` outputs each, for a trial step.
    fn made_up_labels(&self, rows: usize, outputs: usize) -> Labels;

    /// Returns whether [`LossConfig::label_smoothing_factor`] applies.
    fn smooths_labels(&self) -> bool {
        false
    }

    /// Returns the [`LossConfig::class_weights`] that give all classes the same influence, from the
    /// number of rows of each class among `rows`; `None` if there are no classes.
    fn balanced_weights(&self, counts: &[u64], rows: u64) -> Option<Vec<f32>>;

    /// Returns the divisor that turns the summed loss of these rows into torch's mean.
    fn denominator(&self, config: &LossConfig, labels: &Labels) -> f64;

    /// Returns the summed loss of `[rows, outputs]` logits divided by `denominator`, `[1]`.
    ///
    /// # Errors
    /// Fails if the labels do not fit the objective or the logits.
    fn loss(
        &self,
        config: &LossConfig,
        logits: Tensor<2>,
        labels: &Labels,
        denominator: f64,
    ) -> Result<Tensor<1>, InferError>;

    /// Returns how far `[rows, outputs]` logits are from those of a teacher, `[rows · outputs]` in row-major
    /// order, summed and divided by `denominator`, `[1]`: the Kullback-Leibler divergence of the
    /// probabilities at `temperature`, times its square (Hinton et al. 2015), or the squared error of
    /// numbers, which have no temperature.
    ///
    /// # Errors
    /// Fails if there is not one value of the teacher for each logit.
    fn distance(
        &self,
        logits: Tensor<2>,
        teacher: &[f32],
        temperature: f64,
        denominator: f64,
    ) -> Result<Tensor<1>, InferError>;

    /// Returns the number of terms of the [`distance`](Self::distance) of these rows: the divisor of their
    /// mean.
    fn distances(&self, rows: usize, outputs: usize) -> usize {
        rows * outputs
    }

    /// Returns the labels that `logits`, `[rows, outputs]` in row-major order, predict.
    fn predicted_labels(&self, logits: &[f32], outputs: usize) -> Labels;

    /// Returns the metric that says how far a model agrees with [predicted labels](Self::predicted_labels) of
    /// another.
    fn agreement(&self) -> Metric;

    /// Creates an empty accumulator of the task's metrics. `thresholds` are those of
    /// [`ModelConfig::label_thresholds`].
    ///
    /// # Errors
    /// Fails if the thresholds are invalid.
    fn accumulator(
        &self,
        task: &Task,
        thresholds: Option<&[f64]>,
    ) -> Result<Accumulator, InferError>;

    /// Returns the metric that selects the best model by default.
    fn default_metric(&self) -> Metric;

    /// Returns a metric that is defined for any rows.
    fn defined_metric(&self) -> Metric;

    /// Returns the names and titles of the metrics that best show how two evaluations differ.
    fn compared(&self) -> &'static [(&'static str, &'static str)];

    /// Interprets the `logits` `[outputs]` of a model with this configuration.
    fn prediction(&self, config: &ModelConfig, logits: &[f32]) -> Prediction;

    /// Returns the predicted class, list of classes, value, or values by name, as JSON.
    fn predicted(&self, prediction: &Prediction, task: &Task) -> Value;

    /// Returns the columns of a table of predictions in a file.
    fn columns(&self, task: &Task) -> Vec<Column>;

    /// Returns the columns of a table of predictions on a terminal.
    fn shown_columns(&self, task: &Task) -> Vec<Column>;

    /// Returns whether a prediction's confidence can be compared with its accuracy.
    fn has_calibration(&self) -> bool {
        false
    }

    /// Returns whether each class is predicted at a probability threshold that can be tuned.
    fn has_thresholds(&self) -> bool {
        false
    }

    /// Describes in words what is predicted: the names of the outputs, or their number if there are
    /// many.
    fn describe(&self, task: &Task) -> String;
}

/// Returns `classes a, b`, or `40 classes` if there are many, where `what` is `classes`.
fn list_outputs(task: &Task, what: &str) -> String {
    const MOST_NAMES: usize = 12;
    match task.num_labels() {
        ..=MOST_NAMES => format!("{what} {}", task.names().join(", ")),
        count => format!("{count} {what}"),
    }
}

/// Fails unless there is one label for each output of each row.
fn check_label_count<T>(logits: &Tensor<2>, width: usize, values: &[T]) -> Result<(), InferError> {
    let [rows, outputs] = logits.dims();
    match width == outputs && values.len() == rows * outputs {
        true => Ok(()),
        false => Err(InferError::LabelCount {
            width,
            found: values.len(),
            outputs,
            rows,
        }),
    }
}

/// Returns the error for labels of another objective.
fn wrong_labels(objective: &dyn Objective) -> InferError {
    InferError::OtherLabels {
        problem_type: objective.problem_type(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_type_has_an_objective_and_its_metrics() {
        for problem_type in ProblemType::ALL {
            let objective = of(problem_type);
            assert_eq!(objective.problem_type(), problem_type);
            for metric in [objective.default_metric(), objective.defined_metric()] {
                assert!(metric.applies_to(problem_type), "{metric}");
            }
            let task = Task::new(problem_type, Task::default_names(3));
            let labels = objective.made_up_labels(2, 3);
            let mut all = objective.accumulator(&task, None).unwrap();
            let logits = [0.5, -0.5, 0.25, 1.0, 2.0, -3.0];
            assert!(all.update(&logits, 3, &labels).unwrap());
            let evaluation = all.evaluation();
            assert_eq!(evaluation.summary.headline().len(), 3);
            let defined = objective.defined_metric();
            assert!(evaluation.summary.get(defined).is_some());
            assert!(!all.report(str::to_string).is_empty());
            let worst = all.worst_rows(1);
            assert_eq!((worst.rows.len(), worst.rows[0].row), (1, 1));
            assert_eq!(all.curves(3).len(), task.class_names().len());
            assert!(all.curves(2).is_empty());
            assert_eq!(all.as_classes().is_some(), objective.has_calibration());
            assert_eq!(all.as_labels().is_some(), objective.has_thresholds());
            let prediction = Prediction {
                label: "a".into(),
                labels: None,
                confidence: 0.5,
                probabilities: vec![0.5; 3],
                logits: vec![0.5; 3],
            };
            for columns in [objective.columns(&task), objective.shown_columns(&task)] {
                let numbers = columns
                    .iter()
                    .filter_map(|column| column.field.number(&prediction));
                assert!(numbers.count() >= 3, "{columns:?}");
            }
            let record = evaluation.record();
            assert_eq!(record.rows(), 2);
            for (name, _) in objective.compared() {
                assert!(record.has(name), "{problem_type} has no {name}");
            }
        }
    }

    #[test]
    fn labels_belong_to_exactly_one_objective() {
        for objective in ALL {
            let labels = objective.made_up_labels(2, 3);
            let found = of_labels(&labels).map(|found| found.problem_type());
            assert_eq!(found, Some(objective.problem_type()));
            for other in ALL {
                let same = other.problem_type() == objective.problem_type();
                assert_eq!(other.fits(&labels), same);
                let task = Task::new(other.problem_type(), Task::default_names(3));
                let mut all = other.accumulator(&task, None).unwrap();
                assert_eq!(all.update(&[0.0; 6], 3, &labels).unwrap(), same);
            }
        }
        assert!(of_labels(&Labels::None).is_none());
    }
}
