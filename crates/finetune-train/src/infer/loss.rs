//! The loss of a batch, as torch's loss modules compute it.

use burn::Tensor;
use finetune_data::Labels;
use finetune_kernels::{
    binary_cross_entropy_with_logits, mean_squared_error, soft_cross_entropy, softmax_cross_entropy,
};
use finetune_models::Task;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// How outputs and labels become a loss: cross-entropy for classes, binary cross-entropy with
/// logits for several labels a row, squared error for values.
///
/// The loss of a batch is a sum that is divided by the [`denominator`](Self::denominator) of all
/// batches of the step. So the gradients of accumulated batches add up to that of one large batch,
/// however its rows are cut.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// The share of a row's target that is spread over all classes: torch's `label_smoothing`. Of
    /// classes only.
    pub label_smoothing_factor: f64,
    /// A weight per class, in class order; empty: none. For classes torch's
    /// `CrossEntropyLoss(weight=…)`, for several labels a row its
    /// `BCEWithLogitsLoss(pos_weight=…)`.
    pub class_weights: Vec<f32>,
}

/// Weights that make all classes count alike, from the number of rows of each class:
/// scikit-learn's `compute_class_weight("balanced", …)`. A class without rows gets 0 and is not
/// counted, as there.
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
    /// Refuses settings that do not fit what the model predicts; the message names the key.
    pub fn check(&self, outputs: &Task) -> Result<(), TrainError> {
        let refuse = |message: String| Err(TrainError::Plan(message));
        let smoothing = self.label_smoothing_factor;
        if !(0.0..1.0).contains(&smoothing) {
            return refuse(format!(
                "label_smoothing_factor is {smoothing:?}; expected at least 0 and below 1"
            ));
        }
        let classes = matches!(outputs, Task::Classes(_));
        if smoothing > 0.0 && !classes {
            return refuse(format!(
                "label_smoothing_factor is {smoothing:?}, but the task is {}; expected 0, or one class per row",
                outputs.problem_type()
            ));
        }
        let weights = &self.class_weights;
        if weights.is_empty() {
            return Ok(());
        }
        if let Task::Regression(_) = outputs {
            return refuse("there are class_weights, but the task is regression".into());
        }
        if weights.len() != outputs.num_labels() {
            return refuse(format!(
                "class_weights has {} numbers; expected one for each of the {} classes {}",
                weights.len(),
                outputs.num_labels(),
                outputs.names().join(", ")
            ));
        }
        let legal = |weight: &f32| *weight >= 0.0 && weight.is_finite();
        if let Some(weight) = weights.iter().find(|weight| !legal(weight)) {
            return refuse(format!(
                "class_weights has {weight:?}; expected numbers of at least 0"
            ));
        }
        match weights.iter().all(|&weight| weight == 0.0) {
            true => refuse("class_weights are all 0; expected one above 0".into()),
            false => Ok(()),
        }
    }

    /// What the summed loss of these rows is divided by to be torch's mean: the number of rows, or
    /// of their values; with class weights the sum of the rows' weights. Those of the batches of a
    /// step add up.
    pub fn denominator(&self, labels: &Labels) -> f64 {
        match labels {
            Labels::None => 0.0,
            Labels::Classes(classes) if self.class_weights.is_empty() => classes.len() as f64,
            Labels::Classes(classes) => {
                let weights = classes.iter().map(|&class| self.weight(class));
                weights.map(f64::from).sum()
            }
            Labels::MultiLabel { values, .. } => values.len() as f64,
            Labels::Values { values, .. } => values.len() as f64,
        }
    }

    /// The summed loss of `[rows, outputs]` logits, divided by `denominator`: `[1]`. Labels that do
    /// not fit the logits are an error.
    pub fn loss(
        &self,
        logits: Tensor<2>,
        labels: &Labels,
        denominator: f64,
    ) -> Result<Tensor<1>, TrainError> {
        match labels {
            Labels::None => Err(TrainError::Plan("the training rows have no labels".into())),
            Labels::Classes(classes) => self.cross_entropy(logits, classes, denominator),
            Labels::MultiLabel { width, values } => {
                fit(&logits, *width, values)?;
                Ok(binary_cross_entropy_with_logits(
                    logits,
                    &as_numbers(values),
                    &self.class_weights,
                    denominator,
                ))
            }
            Labels::Values { width, values } => {
                fit(&logits, *width, values)?;
                let values: Vec<_> = values.iter().map(|&value| value as f32).collect();
                Ok(mean_squared_error(logits, &values, denominator))
            }
        }
    }

    /// Cross-entropy of `[rows, classes]` logits against a class per row, divided by `denominator`.
    fn cross_entropy(
        &self,
        logits: Tensor<2>,
        targets: &[u32],
        denominator: f64,
    ) -> Result<Tensor<1>, TrainError> {
        let [rows, classes] = logits.dims();
        if targets.len() != rows {
            return Err(TrainError::Plan(format!(
                "the batch has {} classes for {rows} rows; expected one each",
                targets.len()
            )));
        }
        if let Some(target) = targets.iter().find(|&&target| target as usize >= classes) {
            return Err(TrainError::Plan(format!(
                "a training row has class {target}, but the model has {classes} classes"
            )));
        }
        if self.label_smoothing_factor == 0.0 && self.class_weights.is_empty() {
            return Ok(softmax_cross_entropy(logits, targets.into(), denominator));
        }
        let smoothing = self.label_smoothing_factor as f32;
        let weights: Vec<_> = (0..classes as u32)
            .map(|class| self.weight(class))
            .collect();
        let mut target_matrix = Vec::with_capacity(rows * classes);
        for &target in targets {
            let spread = weights
                .iter()
                .map(|weight| weight * smoothing / classes as f32);
            let start = target_matrix.len();
            target_matrix.extend(spread);
            target_matrix[start + target as usize] += self.weight(target) * (1.0 - smoothing);
        }
        Ok(soft_cross_entropy(logits, target_matrix, denominator))
    }

    /// The weight of a class; 1 where there are none.
    fn weight(&self, class: u32) -> f32 {
        let weight = self.class_weights.get(class as usize).copied();
        weight.unwrap_or(1.0)
    }
}

/// 1 for the classes of a row and 0 for the others.
fn as_numbers(marks: &[bool]) -> Vec<f32> {
    marks
        .iter()
        .map(|&mark| f32::from(u8::from(mark)))
        .collect()
}

/// An error unless there are `width` labels for each output of each row.
fn fit<T>(logits: &Tensor<2>, width: usize, values: &[T]) -> Result<(), TrainError> {
    let [rows, outputs] = logits.dims();
    match width == outputs && values.len() == rows * outputs {
        true => Ok(()),
        false => Err(TrainError::Plan(format!(
            "the training rows have {width} labels each ({} in all), but the model has {outputs} outputs for {rows} rows",
            values.len()
        ))),
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
    fn what_does_not_fit_is_named() {
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
