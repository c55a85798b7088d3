//! Multi-label classification, any number of classes per row: binary cross-entropy with logits.

use burn::Tensor;
use finetune_kernels::binary_cross_entropy_with_logits;
use finetune_metrics::{
    DEFAULT_THRESHOLD, Metric, MetricError, MultiLabelAccumulator, MultiLabelSummary, Predictions,
    Targets, sigmoid,
};
use finetune_models::ModelConfig;
use finetune_task::{Labels, ProblemType, Task};
use serde_json::{Value, json};

use super::{Objective, RowMetrics, TaskMetrics, check_label_count, list_outputs, wrong_labels};
use crate::{
    Accumulator, ClassCurve, Column, Field, InferError, LossConfig, Prediction, Summary, WorstRows,
    WrongRow,
};

/// The objective of `multi_label_classification`.
#[derive(Clone, Copy, Debug)]
pub struct MultiLabel;

impl Objective for MultiLabel {
    fn problem_type(&self) -> ProblemType {
        ProblemType::MultiLabelClassification
    }

    fn fits(&self, labels: &Labels) -> bool {
        matches!(labels, Labels::MultiLabel { .. })
    }

    fn made_up_labels(&self, rows: usize, outputs: usize) -> Labels {
        Labels::MultiLabel {
            width: outputs,
            values: vec![false; rows * outputs],
        }
    }

    /// Returns weights that give a class's positives the same influence as its negatives.
    fn balanced_weights(&self, counts: &[u64], rows: u64) -> Option<Vec<f32>> {
        let weight = |&count: &u64| rows.saturating_sub(count) as f32 / count as f32;
        Some(counts.iter().map(weight).collect())
    }

    /// Returns the number of binary labels of all rows.
    fn denominator(&self, _config: &LossConfig, labels: &Labels) -> f64 {
        match labels {
            Labels::MultiLabel { values, .. } => values.len() as f64,
            _ => 0.0,
        }
    }

    fn loss(
        &self,
        config: &LossConfig,
        logits: Tensor<2>,
        labels: &Labels,
        denominator: f64,
    ) -> Result<Tensor<1>, InferError> {
        let Labels::MultiLabel { width, values } = labels else {
            return Err(wrong_labels(self));
        };
        check_label_count(&logits, *width, values)?;
        Ok(binary_cross_entropy_with_logits(
            logits,
            &zeros_and_ones(values),
            &config.class_weights,
            denominator,
        ))
    }

    fn distance(
        &self,
        logits: Tensor<2>,
        teacher: &[f32],
        temperature: f64,
        denominator: f64,
    ) -> Result<Tensor<1>, InferError> {
        check_label_count(&logits, logits.dims()[1], teacher)?;
        let probability = |&logit: &f32| {
            let scaled = f64::from(logit) / temperature;
            1.0 / (1.0 + (-scaled).exp())
        };
        let soft: Vec<f64> = teacher.iter().map(probability).collect();
        // The divergence is the cross-entropy without the teacher's entropy.
        let term = |p: f64| p * p.max(f64::MIN_POSITIVE).ln();
        let negative_entropy: f64 = soft.iter().map(|&p| term(p) + term(1.0 - p)).sum();
        let soft: Vec<f32> = soft.iter().map(|&p| p as f32).collect();
        let square = temperature * temperature;
        let logits = logits / temperature;
        let loss = binary_cross_entropy_with_logits(logits, &soft, &[], denominator / square);
        Ok(loss + negative_entropy * square / denominator)
    }

    fn predicted_labels(&self, logits: &[f32], outputs: usize) -> Labels {
        Labels::MultiLabel {
            width: outputs,
            values: logits
                .iter()
                .map(|&logit| sigmoid(logit) >= DEFAULT_THRESHOLD)
                .collect(),
        }
    }

    fn agreement(&self) -> Metric {
        Metric::SubsetAccuracy
    }

    fn accumulator(
        &self,
        task: &Task,
        thresholds: Option<&[f64]>,
    ) -> Result<Accumulator, InferError> {
        let mut all = MultiLabelAccumulator::new(task.names().to_vec());
        if let Some(thresholds) = thresholds {
            all.set_thresholds(thresholds)?;
        }
        Ok(Accumulator::new(all))
    }

    /// Average precision needs no threshold, whereas the F1 of a rare label is 0 until some
    /// probability exceeds a half.
    fn default_metric(&self) -> Metric {
        Metric::AveragePrecision
    }

    fn defined_metric(&self) -> Metric {
        Metric::F1Macro
    }

    fn compared(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("f1_micro", "F1 micro"),
            ("f1_macro", "F1 macro"),
            ("subset_accuracy", "subset accuracy"),
            ("loss", "loss"),
        ]
    }

    fn prediction(&self, config: &ModelConfig, logits: &[f32]) -> Prediction {
        let names = config.outputs.names();
        // In f64, as in the evaluation.
        let probabilities: Vec<f64> = logits.iter().map(|&logit| sigmoid(logit)).collect();
        let thresholds = config.label_thresholds.as_deref().unwrap_or_default();
        let reached = |(class, probability): (usize, &f64)| {
            let threshold = thresholds.get(class).copied();
            let name = names.get(class).cloned();
            name.filter(|_| *probability >= threshold.unwrap_or(DEFAULT_THRESHOLD))
        };
        let labels = probabilities.iter().enumerate().filter_map(reached);
        let labels = labels.collect();
        let probabilities = probabilities.iter().map(|&value| value as f32).collect();
        Prediction::of_classes(names, logits, probabilities, Some(labels))
    }

    fn predicted(&self, prediction: &Prediction, _task: &Task) -> Value {
        json!(prediction.labels)
    }

    fn columns(&self, task: &Task) -> Vec<Column> {
        let first = [Column::new("prediction", Field::Labels)];
        let each = Column::each(task.names(), "probability_", Field::Probability);
        first.into_iter().chain(each).collect()
    }

    fn shown_columns(&self, task: &Task) -> Vec<Column> {
        let each = Column::each(task.names(), "", Field::Probability);
        each.chain([Column::new("labels", Field::Labels)]).collect()
    }

    fn has_thresholds(&self) -> bool {
        true
    }

    fn describe(&self, task: &Task) -> String {
        format!("any number of the {}", list_outputs(task, "labels"))
    }
}

impl RowMetrics for MultiLabelAccumulator {
    fn update(
        &mut self,
        logits: &[f32],
        width: usize,
        labels: &Labels,
    ) -> Result<bool, MetricError> {
        match labels {
            Labels::MultiLabel {
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

    /// Formats scikit-learn's report.
    fn report(&self, shown: &dyn Fn(&str) -> String) -> String {
        let names: Vec<_> = self.class_names().iter().map(|name| shown(name)).collect();
        self.report_as(&names)
    }

    /// Returns single labels that were predicted but are not true, or the reverse, by the model's
    /// confidence.
    fn worst_rows(&self, count: usize) -> WorstRows {
        let (names, thresholds, rows) = (self.class_names(), self.thresholds(), self.predictions());
        let mut found = Vec::new();
        if let Targets::MultiLabel(targets) = rows.targets() {
            for (index, row) in rows.iter().enumerate() {
                for (class, (&logit, name)) in row.iter().zip(names).enumerate() {
                    let probability = sigmoid(logit);
                    let predicted = probability >= thresholds[class];
                    let target = targets[index * names.len() + class];
                    if predicted != target {
                        let word = |yes: bool| match yes {
                            true => name.clone(),
                            false => format!("not {name}"),
                        };
                        found.push(WrongRow {
                            row: index,
                            label: word(target),
                            prediction: word(predicted),
                            size: match predicted {
                                true => probability,
                                false => 1.0 - probability,
                            },
                        });
                    }
                }
            }
        }
        WorstRows::new("confidence", found, count)
    }

    fn curves(&self) -> Vec<ClassCurve<'_>> {
        let (names, rows) = (self.class_names(), self.predictions());
        let Targets::MultiLabel(targets) = rows.targets() else {
            return Vec::new();
        };
        let sigmoids = |logits: &[f32]| logits.iter().map(|&logit| sigmoid(logit) as f32).collect();
        let probabilities: Vec<Vec<f32>> = rows.iter().map(sigmoids).collect();
        ClassCurve::all(names, &probabilities, |row, class| {
            targets.get(row * names.len() + class) == Some(&true)
        })
    }

    fn as_labels(&self) -> Option<&MultiLabelAccumulator> {
        Some(self)
    }
}

impl TaskMetrics for MultiLabelSummary {
    fn get(&self, metric: Metric) -> Option<f64> {
        self.get(metric)
    }

    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("loss", self.loss),
            ("F1 micro", self.f1_micro),
            ("F1 macro", self.f1_macro),
        ]
    }

    fn json(&self) -> Value {
        json!(self)
    }
}

/// Returns 1 for each class of a row and 0 for the others.
fn zeros_and_ones(targets: &[bool]) -> Vec<f32> {
    targets
        .iter()
        .map(|&target| f32::from(u8::from(target)))
        .collect()
}

/// Returns the binary cross-entropy of one row's logits against its targets, averaged over the
/// classes, in f64 and without overflow.
fn row_loss(row: &[f32], targets: &[bool]) -> f64 {
    let losses = row.iter().zip(targets).map(|(&logit, &target)| {
        let (logit, target) = (f64::from(logit), f64::from(u8::from(target)));
        logit.max(0.0) - logit * target + (-logit.abs()).exp().ln_1p()
    });
    losses.sum::<f64>() / row.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_of_a_row_is_the_mean_over_its_classes() {
        assert_eq!(row_loss(&[0.0, 0.0], &[true, false]), 2f64.ln());
        assert_eq!(row_loss(&[1000.0, -1000.0], &[false, false]), 500.0);
    }

    #[test]
    fn positives_are_weighted_by_their_rarity() {
        let weights = MultiLabel.balanced_weights(&[1, 5], 10);
        assert_eq!(weights, Some(vec![9.0, 1.0]));
    }
}
