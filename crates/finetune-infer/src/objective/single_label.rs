//! Single-label classification, one class per row: cross-entropy.

use burn::Tensor;
use finetune_kernels::{soft_cross_entropy, softmax_cross_entropy};
use finetune_metrics::{
    Bootstrap, ClassificationAccumulator, ClassificationReport, ClassificationSummary,
    ConfusionMatrix, Interval, Metric, MetricError, Predictions, Targets, argmax, softmax,
};
use finetune_models::ModelConfig;
use finetune_task::{Labels, ProblemType, Task};
use serde_json::{Value, json};

use super::{Objective, RowMetrics, TaskMetrics, check_label_count, list_outputs, wrong_labels};
use crate::{
    Accumulator, ClassCurve, Column, Field, InferError, LossConfig, Prediction, Summary, WorstRows,
    WrongRow, balanced_weights,
};

/// The objective of `single_label_classification`.
#[derive(Clone, Copy, Debug)]
pub struct SingleLabel;

impl Objective for SingleLabel {
    fn problem_type(&self) -> ProblemType {
        ProblemType::SingleLabelClassification
    }

    fn fits(&self, labels: &Labels) -> bool {
        matches!(labels, Labels::Classes(_))
    }

    fn made_up_labels(&self, rows: usize, _outputs: usize) -> Labels {
        Labels::Classes(vec![0; rows])
    }

    fn smooths_labels(&self) -> bool {
        true
    }

    fn balanced_weights(&self, counts: &[u64], _rows: u64) -> Option<Vec<f32>> {
        Some(balanced_weights(counts))
    }

    /// Returns the number of rows, or with class weights the sum of the rows' weights.
    fn denominator(&self, config: &LossConfig, labels: &Labels) -> f64 {
        match labels {
            Labels::Classes(classes) if config.class_weights.is_empty() => classes.len() as f64,
            Labels::Classes(classes) => {
                let weights = classes.iter().map(|&class| config.weight(class));
                weights.map(f64::from).sum()
            }
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
        match labels {
            Labels::Classes(classes) => cross_entropy(config, logits, classes, denominator),
            _ => Err(wrong_labels(self)),
        }
    }

    fn distance(
        &self,
        logits: Tensor<2>,
        teacher: &[f32],
        temperature: f64,
        denominator: f64,
    ) -> Result<Tensor<1>, InferError> {
        let outputs = logits.dims()[1];
        check_label_count(&logits, outputs, teacher)?;
        let rows = teacher.chunks(outputs.max(1));
        let soft: Vec<f64> = rows.flat_map(|row| softmax_at(row, temperature)).collect();
        // The divergence is the cross-entropy without the teacher's entropy.
        let negative_entropy: f64 = soft
            .iter()
            .map(|&p| p * p.max(f64::MIN_POSITIVE).ln())
            .sum();
        let soft = soft.iter().map(|&p| p as f32).collect();
        let square = temperature * temperature;
        let loss = soft_cross_entropy(logits / temperature, soft, denominator / square);
        Ok(loss + negative_entropy * square / denominator)
    }

    fn distances(&self, rows: usize, _outputs: usize) -> usize {
        rows
    }

    fn predicted_labels(&self, logits: &[f32], outputs: usize) -> Labels {
        let rows = logits.chunks(outputs.max(1));
        Labels::Classes(rows.map(|row| argmax(row).unwrap_or(0) as u32).collect())
    }

    fn agreement(&self) -> Metric {
        Metric::Accuracy
    }

    fn accumulator(
        &self,
        task: &Task,
        _thresholds: Option<&[f64]>,
    ) -> Result<Accumulator, InferError> {
        let all = ClassificationAccumulator::new(task.names().to_vec());
        Ok(Accumulator::new(all))
    }

    fn default_metric(&self) -> Metric {
        Metric::Accuracy
    }

    fn defined_metric(&self) -> Metric {
        Metric::F1Macro
    }

    fn compared(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("accuracy", "accuracy"),
            ("f1_macro", "F1 macro"),
            ("loss", "loss"),
            ("confidence", "average confidence"),
        ]
    }

    fn prediction(&self, config: &ModelConfig, logits: &[f32]) -> Prediction {
        Prediction::of_classes(config.outputs.names(), logits, softmax(logits), None)
    }

    fn predicted(&self, prediction: &Prediction, _task: &Task) -> Value {
        json!(prediction.label)
    }

    fn columns(&self, task: &Task) -> Vec<Column> {
        let first = [
            Column::new("prediction", Field::Label),
            Column::new("confidence", Field::Confidence),
        ];
        let each = Column::each(task.names(), "probability_", Field::Probability);
        first.into_iter().chain(each).collect()
    }

    fn shown_columns(&self, task: &Task) -> Vec<Column> {
        let first = [
            Column::new("label", Field::Label),
            Column::new("confidence", Field::Confidence),
        ];
        let each = Column::each(task.names(), "", Field::Probability);
        first.into_iter().chain(each).collect()
    }

    fn has_calibration(&self) -> bool {
        true
    }

    fn describe(&self, task: &Task) -> String {
        list_outputs(task, "classes")
    }
}

impl RowMetrics for ClassificationAccumulator {
    fn update(
        &mut self,
        logits: &[f32],
        width: usize,
        labels: &Labels,
    ) -> Result<bool, MetricError> {
        let Labels::Classes(targets) = labels else {
            return Ok(false);
        };
        for (row, &target) in logits.chunks(width).zip(targets) {
            self.update(row, target as usize, row_loss(row, target))?;
        }
        Ok(true)
    }

    fn summary(&self) -> Summary {
        Summary::new(self.summary())
    }

    fn predictions(&self) -> Predictions<'_> {
        self.predictions()
    }

    /// Formats scikit-learn's report and the confusion matrix.
    fn report(&self, shown: &dyn Fn(&str) -> String) -> String {
        let names: Vec<_> = self.class_names().iter().map(|name| shown(name)).collect();
        let matrix = self.confusion_matrix().named(&names);
        let matrix = matrix.map(|matrix| matrix.to_string()).unwrap_or_default();
        let report = ClassificationReport::new(self.confusion_matrix(), &names);
        let report = report.map(|report| report.digits(4).to_string());
        format!("{}\n{matrix}", report.unwrap_or_default())
    }

    /// Returns the wrong predictions of the highest confidence.
    fn worst_rows(&self, count: usize) -> WorstRows {
        let name = |class: usize| self.class_names().get(class).cloned().unwrap_or_default();
        let errors = self.most_confident_errors(count).into_iter();
        let rows = errors.map(|error| WrongRow {
            row: error.row,
            label: name(error.target),
            prediction: name(error.predicted),
            size: error.confidence,
        });
        WorstRows::new("confidence", rows.collect(), count)
    }

    fn intervals(&self) -> Vec<(Metric, Interval)> {
        type Score = fn(&ConfusionMatrix) -> f64;
        let scores: [(Metric, Score); 2] = [
            (Metric::Accuracy, ConfusionMatrix::accuracy),
            (Metric::F1Macro, |matrix| matrix.macro_average().f1),
        ];
        let matrix = self.confusion_matrix();
        let interval = |(metric, score)| {
            let interval = Bootstrap::default().interval(matrix, score).ok()?;
            Some((metric, interval))
        };
        scores.into_iter().filter_map(interval).collect()
    }

    fn curves(&self) -> Vec<ClassCurve<'_>> {
        let (names, rows) = (self.class_names(), self.predictions());
        let Targets::Classes(targets) = rows.targets() else {
            return Vec::new();
        };
        let probabilities: Vec<_> = rows.iter().map(softmax).collect();
        let is_of = |row: usize, class| {
            targets
                .get(row)
                .is_some_and(|&target| target as usize == class)
        };
        ClassCurve::all(names, &probabilities, is_of)
    }

    fn as_classes(&self) -> Option<&ClassificationAccumulator> {
        Some(self)
    }
}

impl TaskMetrics for ClassificationSummary {
    fn get(&self, metric: Metric) -> Option<f64> {
        self.get(metric)
    }

    fn headline(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("loss", self.loss),
            ("accuracy", self.accuracy),
            ("F1 macro", self.f1_macro),
        ]
    }

    fn json(&self) -> Value {
        json!(self)
    }
}

/// Returns the cross-entropy of `[rows, classes]` logits against one class per row, divided by
/// `denominator`.
fn cross_entropy(
    config: &LossConfig,
    logits: Tensor<2>,
    targets: &[u32],
    denominator: f64,
) -> Result<Tensor<1>, InferError> {
    let [rows, classes] = logits.dims();
    if targets.len() != rows {
        return Err(InferError::ClassCount {
            found: targets.len(),
            rows,
        });
    }
    if let Some(&class) = targets.iter().find(|&&target| target as usize >= classes) {
        return Err(InferError::Class { class, classes });
    }
    if config.label_smoothing_factor == 0.0 && config.class_weights.is_empty() {
        return Ok(softmax_cross_entropy(logits, targets.into(), denominator));
    }
    let smoothing = config.label_smoothing_factor as f32;
    let weights: Vec<_> = (0..classes as u32)
        .map(|class| config.weight(class))
        .collect();
    let mut target_matrix = Vec::with_capacity(rows * classes);
    for &target in targets {
        let spread = weights
            .iter()
            .map(|weight| weight * smoothing / classes as f32);
        let start = target_matrix.len();
        target_matrix.extend(spread);
        target_matrix[start + target as usize] += config.weight(target) * (1.0 - smoothing);
    }
    Ok(soft_cross_entropy(logits, target_matrix, denominator))
}

/// Returns the softmax of a row of logits divided by `temperature`.
fn softmax_at(row: &[f32], temperature: f64) -> Vec<f64> {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = row
        .iter()
        .map(|&logit| ((f64::from(logit) - f64::from(largest)) / temperature).exp());
    let exponentials: Vec<f64> = shifted.collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|value| value / sum).collect()
}

/// Returns `-log softmax(row)[target]`, in f64 and without overflow.
fn row_loss(row: &[f32], target: u32) -> f64 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = |logit: f32| f64::from(logit) - f64::from(largest);
    let sum: f64 = row.iter().map(|&logit| shifted(logit).exp()).sum();
    sum.ln()
        - row
            .get(target as usize)
            .map_or(0.0, |&logit| shifted(logit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_of_a_row_does_not_overflow() {
        assert_eq!(row_loss(&[0.0, 0.0], 1), 2f64.ln());
        assert_eq!(row_loss(&[1e30, 0.0], 0), 0.0);
        assert_eq!(row_loss(&[1000.0, 0.0], 1), 1000.0);
    }

    #[test]
    fn rows_are_weighted_by_class() {
        let labels = Labels::Classes(vec![0, 1, 1]);
        let weighted = LossConfig {
            class_weights: vec![0.5, 2.0],
            ..LossConfig::default()
        };
        assert_eq!(
            SingleLabel.denominator(&LossConfig::default(), &labels),
            3.0
        );
        assert_eq!(SingleLabel.denominator(&weighted, &labels), 4.5);
    }
}
