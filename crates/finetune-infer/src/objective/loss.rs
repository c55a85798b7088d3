//! The loss settings that all objectives share.

use burn::Tensor;
use finetune_task::{Labels, Task};
use serde::{Deserialize, Serialize};

use crate::{InferError, objective};

/// How the loss is computed: cross-entropy for single-label classification, binary cross-entropy
/// with logits for multi-label classification, squared error for regression.
///
/// The loss of a batch is a sum divided by the [`denominator`](Self::denominator) of all batches of
/// the step, so the gradients of accumulated batches add up to that of one large batch, however the
/// rows are split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// The share of a row's target that is spread over all classes: torch's `label_smoothing`.
    /// Single-label classification only.
    pub label_smoothing_factor: f64,
    /// A weight per class, in class order, or empty for no weights: torch's
    /// `CrossEntropyLoss(weight=…)` for single-label and `BCEWithLogitsLoss(pos_weight=…)` for
    /// multi-label classification.
    pub class_weights: Vec<f32>,
}

/// Returns weights that give all classes the same influence, from the number of rows of each class:
/// scikit-learn's `compute_class_weight("balanced", …)`. As there, a class without rows gets 0 and
/// does not count.
pub fn balanced_weights(counts: &[u64]) -> Vec<f32> {
    let rows: u64 = counts.iter().sum();
    let classes = counts.iter().filter(|&&count| count > 0).count();
    let weight = |&count: &u64| match count {
        0 => 0.0,
        count => (rows as f64 / (classes as f64 * count as f64)) as f32,
    };
    counts.iter().map(weight).collect()
}

impl LossConfig {
    /// Checks that the settings are valid for the model's task.
    ///
    /// # Errors
    /// Fails with [`InferError::Loss`], which names the setting.
    pub fn check(&self, outputs: &Task) -> Result<(), InferError> {
        let refuse = |key, problem| Err(InferError::Loss { key, problem });
        let (smoothing, key) = (self.label_smoothing_factor, "label_smoothing_factor");
        if !(0.0..1.0).contains(&smoothing) {
            let expected = "expected at least 0 and below 1";
            return refuse(key, format!("{key} is {smoothing:?}; {expected}"));
        }
        let objective = objective::of(outputs.problem_type());
        if smoothing > 0.0 && !objective.smooths_labels() {
            let problem = format!(
                "{key} is {smoothing:?}, but the task is {}; expected 0, or single_label_classification",
                outputs.problem_type()
            );
            return refuse(key, problem);
        }
        let (weights, key) = (&self.class_weights, "class_weights");
        if weights.is_empty() {
            return Ok(());
        }
        if outputs.class_names().is_empty() {
            let task = outputs.problem_type();
            return refuse(key, format!("{key} are set, but the task is {task}"));
        }
        if weights.len() != outputs.num_labels() {
            let problem = format!(
                "{key} has {} weights; expected one for each of the {} classes {}",
                weights.len(),
                outputs.num_labels(),
                outputs.names().join(", ")
            );
            return refuse(key, problem);
        }
        let legal = |weight: &f32| *weight >= 0.0 && weight.is_finite();
        if let Some(weight) = weights.iter().find(|weight| !legal(weight)) {
            let expected = "expected weights of at least 0";
            return refuse(key, format!("{key} contains {weight:?}; {expected}"));
        }
        match weights.iter().all(|&weight| weight == 0.0) {
            true => refuse(key, format!("{key} are all 0; expected one above 0")),
            false => Ok(()),
        }
    }

    /// Returns the divisor that turns the summed loss of these rows into torch's mean: the number of
    /// rows, the sum of their class weights, or the number of their values. The denominators of a
    /// step's batches add up.
    pub fn denominator(&self, labels: &Labels) -> f64 {
        let objective = objective::of_labels(labels);
        objective.map_or(0.0, |objective| objective.denominator(self, labels))
    }

    /// Returns the summed loss of `[rows, outputs]` logits divided by `denominator`, `[1]`.
    ///
    /// # Errors
    /// Fails if there are no labels or they do not fit the logits.
    pub fn loss(
        &self,
        logits: Tensor<2>,
        labels: &Labels,
        denominator: f64,
    ) -> Result<Tensor<1>, InferError> {
        match objective::of_labels(labels) {
            Some(objective) => objective.loss(self, logits, labels, denominator),
            None => Err(InferError::NoLabels),
        }
    }

    /// Returns the weight of a class, or 1 if there are no weights.
    pub(super) fn weight(&self, class: u32) -> f32 {
        let weight = self.class_weights.get(class as usize).copied();
        weight.unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        Task::default_names(count)
    }

    /// `compute_class_weight("balanced", classes=[0, 1, 2], y=[0] * 6 + [1] * 2 + [2])`
    #[test]
    fn balanced_is_scikit_learns() {
        let weights = balanced_weights(&[6, 2, 1]);
        assert_eq!(weights, [0.5, 1.5, 3.0]);
        assert_eq!(balanced_weights(&[6, 0, 2]), [8.0 / 12.0, 0.0, 2.0]);
        assert_eq!(balanced_weights(&[]), [0.0; 0]);
    }

    #[test]
    fn invalid_settings_are_named() {
        let config = |label_smoothing_factor, class_weights: &[f32]| LossConfig {
            label_smoothing_factor,
            class_weights: class_weights.to_vec(),
        };
        let classes = Task::Classes(names(2));
        for (config, outputs, message) in [
            (config(1.0, &[]), &classes, "label_smoothing_factor"),
            (
                config(0.1, &[]),
                &Task::MultiLabel(names(2)),
                "multi_label_classification",
            ),
            (
                config(0.0, &[1.0]),
                &Task::Regression(names(1)),
                "regression",
            ),
            (config(0.0, &[1.0]), &classes, "LABEL_0, LABEL_1"),
            (config(0.0, &[1.0, -1.0]), &classes, "-1.0"),
            (config(0.0, &[0.0, 0.0]), &classes, "all 0"),
        ] {
            let error = config.check(outputs).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        config(0.1, &[1.0, 2.0]).check(&classes).unwrap();
    }

    #[test]
    fn labels_that_do_not_fit_are_errors() {
        let logits = || Tensor::zeros([2, 3], &burn::tensor::Device::flex());
        let loss = LossConfig::default();
        for labels in [
            Labels::None,
            Labels::Classes(vec![0, 3]),
            Labels::Classes(vec![0]),
            Labels::Values {
                width: 3,
                values: vec![0.0; 5],
            },
            Labels::MultiLabel {
                width: 2,
                values: vec![false; 4],
            },
        ] {
            loss.loss(logits(), &labels, 1.0).unwrap_err();
        }
    }
}
