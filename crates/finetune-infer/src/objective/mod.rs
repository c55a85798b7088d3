//! What a task means to whoever trains, evaluates and predicts: one file for each.
//!
//! A new objective is a file here that implements [`Objective`], and its line in [`ALL`].

pub(crate) mod loss;
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

/// The objective of models of this problem type.
pub fn of(problem_type: ProblemType) -> &'static dyn Objective {
    let own = |objective: &&&'static dyn Objective| objective.problem_type() == problem_type;
    // Every problem type has one, which a test looks after.
    ALL.iter().find(own).copied().unwrap_or(&SingleLabel)
}

/// The objective that these labels are of; `None` for rows without labels.
pub fn of_labels(labels: &Labels) -> Option<&'static dyn Objective> {
    ALL.into_iter().find(|objective| objective.fits(labels))
}

/// Loss, metrics and predictions of a task.
pub trait Objective: fmt::Debug + Send + Sync {
    /// The problem type that it is for.
    fn problem_type(&self) -> ProblemType;

    /// Whether labels are of this kind.
    fn fits(&self, labels: &Labels) -> bool;

    /// Labels of `rows` rows with `outputs` outputs each that say nothing, for trying a step out.
    fn made_up_labels(&self, rows: usize, outputs: usize) -> Labels;

    /// Whether [`LossConfig::label_smoothing_factor`] means anything.
    fn smooths_labels(&self) -> bool;

    /// [`LossConfig::class_weights`] by which all classes count alike, from the number of rows that
    /// each class has among `rows`; `None` where there are no classes.
    fn balanced_weights(&self, counts: &[u64], rows: u64) -> Option<Vec<f32>>;

    /// What the summed loss of these rows is divided by to be torch's mean.
    fn denominator(&self, config: &LossConfig, labels: &Labels) -> f64;

    /// The summed loss of `[rows, outputs]` logits, divided by `denominator`: `[1]`.
    ///
    /// # Errors
    /// They do not fit the logits.
    fn loss(
        &self,
        config: &LossConfig,
        logits: Tensor<2>,
        labels: &Labels,
        denominator: f64,
    ) -> Result<Tensor<1>, InferError>;

    /// An accumulator of this task's metrics, without rows. `thresholds` as
    /// [`ModelConfig::label_thresholds`].
    ///
    /// # Errors
    /// Thresholds that cannot be.
    fn accumulator(
        &self,
        task: &Task,
        thresholds: Option<&[f64]>,
    ) -> Result<Accumulator, InferError>;

    /// The metric by which the best model is chosen where nobody names one.
    fn default_metric(&self) -> Metric;

    /// A metric that has a value whatever the rows are.
    fn defined_metric(&self) -> Metric;

    /// The metrics that tell most about how two evaluations differ: name, and title.
    fn compared(&self) -> &'static [(&'static str, &'static str)];

    /// What `logits` `[outputs]` of a model of this configuration mean.
    fn prediction(&self, config: &ModelConfig, logits: &[f32]) -> Prediction;

    /// A prediction in a word, as JSON: the class, the classes, the number, or several by name.
    fn predicted(&self, prediction: &Prediction, task: &Task) -> Value;

    /// The columns of a table of predictions in a file.
    fn columns(&self, task: &Task) -> Vec<Column>;

    /// The columns of one for a person, who sees what the outputs are called.
    fn shown_columns(&self, task: &Task) -> Vec<Column>;

    /// Whether the probability of a prediction can be compared with how often it is right.
    fn has_calibration(&self) -> bool {
        false
    }

    /// Whether a class counts as predicted from a probability on that can be chosen.
    fn has_thresholds(&self) -> bool {
        false
    }

    /// What is predicted, in words: the names of the outputs, or the number of many.
    fn describe(&self, task: &Task) -> String;
}

/// `classes a, b`, or `40 classes` of many, where `what` is `classes`.
fn called(task: &Task, what: &str) -> String {
    const MOST_NAMES: usize = 12;
    match task.num_labels() {
        ..=MOST_NAMES => format!("{what} {}", task.names().join(", ")),
        count => format!("{count} {what}"),
    }
}

/// An error unless there are `width` labels for each output of each row.
fn fit<T>(logits: &Tensor<2>, width: usize, values: &[T]) -> Result<(), InferError> {
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

/// Labels of one objective that were given to another.
fn others(objective: &dyn Objective) -> InferError {
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
    fn labels_belong_to_one_objective() {
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
