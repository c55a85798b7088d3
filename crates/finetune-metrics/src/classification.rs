//! Evaluates a classifier: logits in, a summary out.

use finetune_task::Targets;

use crate::calibration::ReliabilityBin;
use crate::classification_summary::ClassificationSummary;
use crate::confident_errors::{ConfidentError, most_confident_errors};
use crate::confusion::ConfusionMatrix;
use crate::error::MetricError;
use crate::mean::Mean;
use crate::predictions::Predictions;
use crate::probability::{ProbabilityScores, reliability};
use crate::report::ClassificationReport;
use crate::softmax::argmax;

/// Accumulates a classifier's logits row by row for a [`ClassificationSummary`].
///
/// It keeps `4 · (classes + 1)` bytes per row (a growing vector may reserve twice that, see
/// [`reserve`](Self::reserve)); [`summary`](Self::summary) sorts in O(rows · log rows) per class and
/// temporarily needs 24 more bytes per row.
#[derive(Clone, Debug)]
pub struct ClassificationAccumulator {
    class_names: Vec<String>,
    matrix: ConfusionMatrix,
    loss: Mean,
    /// `[rows, classes]`
    logits: Vec<f32>,
    /// `[rows]`
    targets: Vec<u32>,
}

impl ClassificationAccumulator {
    /// Creates an accumulator for classes of these names, in class order.
    pub fn new(class_names: Vec<String>) -> Self {
        Self {
            matrix: ConfusionMatrix::new(class_names.len()),
            class_names,
            loss: Mean::new(),
            logits: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Reserves memory for exactly `rows` more rows.
    pub fn reserve(&mut self, rows: usize) {
        let classes = self.matrix.classes();
        self.logits.reserve_exact(rows.saturating_mul(classes));
        self.targets.reserve_exact(rows);
    }

    /// Adds a row with its loss and returns its predicted class: that of the largest of the `logits`,
    /// `[classes]` before the softmax, and the lowest class on ties.
    ///
    /// # Errors
    /// Fails if the row's length is not the number of classes, if a logit is not finite, or if the
    /// target is not one of the classes. The row is then not counted.
    pub fn update(
        &mut self,
        logits: &[f32],
        target: usize,
        loss: f64,
    ) -> Result<usize, MetricError> {
        check_finite(logits)?;
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
        self.logits.extend_from_slice(logits);
        self.targets.push(target as u32);
        Ok(prediction)
    }

    /// Returns the confusion matrix so far.
    pub fn confusion_matrix(&self) -> &ConfusionMatrix {
        &self.matrix
    }

    /// Returns the class names, in class order.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Returns all rows so far, for a [`CustomMetric`](crate::CustomMetric).
    pub fn predictions(&self) -> Predictions<'_> {
        let targets = Targets::Classes(&self.targets);
        Predictions::from_parts(&self.logits, self.matrix.classes(), targets)
    }

    /// Formats scikit-learn's classification report of the rows so far, with four digits.
    pub fn report(&self) -> String {
        match ClassificationReport::new(&self.matrix, &self.class_names) {
            Ok(report) => report.digits(4).to_string(),
            // This cannot fail: the matrix has one class per name.
            Err(error) => error.to_string(),
        }
    }

    /// Returns 15 bins of equal width over the confidence (the probability of the predicted class) from
    /// 0 to 1, which a reliability diagram shows and `ece` averages.
    pub fn reliability_bins(&self) -> Vec<ReliabilityBin> {
        reliability(&self.predictions(), &self.targets).bins()
    }

    /// Returns whether each row was predicted correctly, in the order of the updates, as
    /// [`mcnemar`](crate::mcnemar) compares them.
    pub fn correct(&self) -> Vec<bool> {
        let rows = self.predictions().iter().zip(&self.targets);
        rows.map(|(logits, &target)| argmax(logits) == Some(target as usize))
            .collect()
    }

    /// Returns the `count` misclassified rows of the highest confidence, in descending order and with
    /// earlier rows first on ties.
    pub fn most_confident_errors(&self, count: usize) -> Vec<ConfidentError> {
        most_confident_errors(&self.predictions(), &self.targets, count)
    }

    /// Computes all metrics over the rows so far.
    pub fn summary(&self) -> ClassificationSummary {
        let scores = ProbabilityScores::new(&self.predictions(), &self.targets);
        ClassificationSummary::new(&self.class_names, &self.matrix, self.loss.mean(), &scores)
    }
}

/// Fails if a logit is NaN or infinite, since no probabilities follow from it.
pub(crate) fn check_finite(logits: &[f32]) -> Result<(), MetricError> {
    match logits.iter().position(|logit| !logit.is_finite()) {
        Some(class) => Err(MetricError::NonFiniteLogit {
            class,
            value: logits[class],
        }),
        None => Ok(()),
    }
}
