//! Streamed evaluation of a classifier: logits in, one summary out.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::confusion::ConfusionMatrix;
use crate::error::MetricError;
use crate::mean::Mean;
use crate::name::Metric;
use crate::report::ClassificationReport;
use crate::scores::Scores;
use crate::softmax::argmax;

/// Takes a classifier's logits row by row and gives a [`ClassificationSummary`].
#[derive(Clone, Debug)]
pub struct ClassificationAccumulator {
    class_names: Vec<String>,
    matrix: ConfusionMatrix,
    loss: Mean,
}

impl ClassificationAccumulator {
    /// For classes of these names, in class order.
    pub fn new(class_names: Vec<String>) -> Self {
        Self {
            matrix: ConfusionMatrix::new(class_names.len()),
            class_names,
            loss: Mean::new(),
        }
    }

    /// Adds one row and returns its predicted class: the largest of `logits` (or of their softmax,
    /// which orders them the same way), the lowest class on ties.
    ///
    /// `logits` is `[classes]`, `loss` that of this row.
    ///
    /// # Errors
    /// Where the row's length is not the number of classes, a logit is NaN, or the target is
    /// outside the classes; the row is then not counted.
    pub fn update(
        &mut self,
        logits: &[f32],
        target: usize,
        loss: f64,
    ) -> Result<usize, MetricError> {
        if let Some(class) = logits.iter().position(|logit| logit.is_nan()) {
            return Err(MetricError::NanLogit { class });
        }
        let prediction = match argmax(logits) {
            Some(prediction) if logits.len() == self.matrix.classes() => prediction,
            _ => {
                return Err(MetricError::RowLength {
                    expected: self.matrix.classes(),
                    found: logits.len(),
                });
            }
        };
        self.matrix.update(target, prediction)?;
        self.loss.update(loss, 1.0);
        Ok(prediction)
    }

    /// The confusion matrix so far.
    pub fn confusion_matrix(&self) -> &ConfusionMatrix {
        &self.matrix
    }

    /// The class names, in class order.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// scikit-learn's classification report over the rows so far, with four digits.
    pub fn report(&self) -> String {
        match ClassificationReport::new(&self.matrix, &self.class_names) {
            Ok(report) => report.digits(4).to_string(),
            // The matrix was made with one class per name.
            Err(error) => error.to_string(),
        }
    }

    /// All metrics over the rows so far.
    pub fn summary(&self) -> ClassificationSummary {
        let matrix = &self.matrix;
        let (unweighted, weighted, micro) = (
            matrix.macro_average(),
            matrix.weighted_average(),
            matrix.micro_average(),
        );
        ClassificationSummary {
            rows: matrix.rows(),
            loss: self.loss.mean(),
            accuracy: matrix.accuracy(),
            precision_macro: unweighted.precision,
            recall_macro: unweighted.recall,
            f1_macro: unweighted.f1,
            precision_weighted: weighted.precision,
            recall_weighted: weighted.recall,
            f1_weighted: weighted.f1,
            precision_micro: micro.precision,
            recall_micro: micro.recall,
            f1_micro: micro.f1,
            per_class: PerClass(
                self.class_names
                    .iter()
                    .cloned()
                    .zip(matrix.per_class())
                    .collect(),
            ),
            confusion_matrix: matrix.to_rows(),
        }
    }
}

/// The metrics of a classifier over a data set.
///
/// Without rows the loss is NaN (JSON: null) and every other score 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassificationSummary {
    /// Number of rows.
    pub rows: u64,
    /// Mean loss over rows.
    pub loss: f64,
    /// Share of rows predicted right.
    pub accuracy: f64,
    /// Unweighted mean of the classes' precision.
    pub precision_macro: f64,
    /// Unweighted mean of the classes' recall (balanced accuracy where every class occurs).
    pub recall_macro: f64,
    /// Unweighted mean of the classes' F1.
    pub f1_macro: f64,
    /// Mean of the classes' precision weighted by support.
    pub precision_weighted: f64,
    /// Mean of the classes' recall weighted by support.
    pub recall_weighted: f64,
    /// Mean of the classes' F1 weighted by support.
    pub f1_weighted: f64,
    /// Precision of the summed counts.
    pub precision_micro: f64,
    /// Recall of the summed counts.
    pub recall_micro: f64,
    /// F1 of the summed counts.
    pub f1_micro: f64,
    /// Precision, recall, F1 and support of each class, by name.
    pub per_class: PerClass,
    /// `[classes, classes]` counts, row = target, column = prediction.
    pub confusion_matrix: Vec<Vec<u64>>,
}

impl ClassificationSummary {
    /// The value of a metric; `None` for a regression metric.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        Some(match metric {
            Metric::Loss => self.loss,
            Metric::Accuracy => self.accuracy,
            Metric::PrecisionMacro => self.precision_macro,
            Metric::RecallMacro => self.recall_macro,
            Metric::F1Macro => self.f1_macro,
            Metric::PrecisionWeighted => self.precision_weighted,
            Metric::RecallWeighted => self.recall_weighted,
            Metric::F1Weighted => self.f1_weighted,
            Metric::PrecisionMicro => self.precision_micro,
            Metric::RecallMicro => self.recall_micro,
            Metric::F1Micro => self.f1_micro,
            Metric::Mse | Metric::Rmse | Metric::Mae | Metric::R2 | Metric::Pearson => return None,
        })
    }
}

/// Scores by class name, in class order; serializes as a map.
#[derive(Clone, Debug, PartialEq)]
pub struct PerClass(pub Vec<(String, Scores)>);

impl Serialize for PerClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, scores) in &self.0 {
            map.serialize_entry(name, scores)?;
        }
        map.end()
    }
}
