//! Evaluates a multi-label classifier: logits in, a summary out.

use finetune_task::Targets;

use crate::classification::check_finite;
use crate::error::MetricError;
use crate::label_counts::LabelCounts;
use crate::mean::Mean;
use crate::multi_label_summary::MultiLabelSummary;
use crate::predictions::Predictions;
use crate::ranking::{Ranking, RankingMean};
use crate::report::write_table;
use crate::softmax::sigmoid;
use crate::thresholds::BestThresholds;

/// The default threshold of a class.
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// Accumulates a multi-label classifier's logits row by row for a [`MultiLabelSummary`].
///
/// A class is predicted if `sigmoid(logit)`, in f64, is at least the class's threshold. The accumulator
/// keeps `5 · classes` bytes per row; [`summary`](Self::summary) sorts in O(rows · log rows) per class
/// and temporarily needs 8 more bytes per row.
#[derive(Clone, Debug)]
pub struct MultiLabelAccumulator {
    class_names: Vec<String>,
    thresholds: Vec<f64>,
    loss: Mean,
    /// `[rows, classes]`
    logits: Vec<f32>,
    /// `[rows, classes]`
    targets: Vec<bool>,
}

impl MultiLabelAccumulator {
    /// Creates an accumulator for classes of these names, in class order, each with the threshold
    /// [`DEFAULT_THRESHOLD`].
    pub fn new(class_names: Vec<String>) -> Self {
        Self {
            thresholds: vec![DEFAULT_THRESHOLD; class_names.len()],
            class_names,
            loss: Mean::new(),
            logits: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Reserves memory for exactly `rows` more rows.
    pub fn reserve(&mut self, rows: usize) {
        let values = rows.saturating_mul(self.class_names.len());
        self.logits.reserve_exact(values);
        self.targets.reserve_exact(values);
    }

    /// Sets the probability from which each class counts as predicted in all rows, such as the best
    /// thresholds on the validation rows.
    ///
    /// # Errors
    /// Fails with [`MetricError::ThresholdCount`] unless there is one per class, and with
    /// [`MetricError::ThresholdRange`] if one is outside [0, 1].
    pub fn set_thresholds(&mut self, thresholds: &[f64]) -> Result<(), MetricError> {
        let expected = self.class_names.len();
        if thresholds.len() != expected {
            return Err(MetricError::ThresholdCount {
                expected,
                found: thresholds.len(),
            });
        }
        let outside = |value: &f64| !(0.0..=1.0).contains(value);
        if let Some(class) = thresholds.iter().position(outside) {
            return Err(MetricError::ThresholdRange {
                class,
                value: thresholds[class],
            });
        }
        self.thresholds = thresholds.to_vec();
        Ok(())
    }

    /// Adds a row: its logits, `[classes]` before the sigmoid, its targets, `[classes]` (whether each
    /// class is present), and its loss.
    ///
    /// # Errors
    /// Fails if a length is not the number of classes or a logit is not finite. The row is then not
    /// counted.
    pub fn update(
        &mut self,
        logits: &[f32],
        targets: &[bool],
        loss: f64,
    ) -> Result<(), MetricError> {
        let expected = self.class_names.len();
        check_finite(logits)?;
        if logits.len() != expected {
            return Err(MetricError::RowLength {
                expected,
                found: logits.len(),
            });
        }
        if targets.len() != expected {
            return Err(MetricError::OutputCount {
                what: "targets",
                expected,
                found: targets.len(),
            });
        }
        self.loss.update(loss, 1.0);
        self.logits.extend_from_slice(logits);
        self.targets.extend_from_slice(targets);
        Ok(())
    }

    /// Returns the class names, in class order.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Returns the probability from which each class counts as predicted.
    pub fn thresholds(&self) -> &[f64] {
        &self.thresholds
    }

    /// Returns all rows so far, for a [`CustomMetric`](crate::CustomMetric).
    pub fn predictions(&self) -> Predictions<'_> {
        let targets = Targets::MultiLabel(&self.targets);
        Predictions::from_parts(&self.logits, self.class_names.len(), targets)
    }

    /// Finds the thresholds of the best F1 over the rows so far; see [`BestThresholds`].
    ///
    /// It sorts all labels together for the global threshold, which temporarily takes `8 · classes` more
    /// bytes per row.
    pub fn best_thresholds(&self) -> BestThresholds {
        let classes = 0..self.class_names.len();
        let all = self.logits.iter().zip(&self.targets);
        BestThresholds::new(
            classes.map(|class| self.ranking(class)),
            Ranking::new(all.map(|(&logit, &target)| (sigmoid(logit), target))),
        )
    }

    /// Formats scikit-learn's classification report of the label sets so far, with four digits.
    pub fn report(&self) -> String {
        self.report_as(&self.class_names)
    }

    /// Formats the [`report`](Self::report) with other names for the classes, in class order.
    pub fn report_as(&self, names: &[String]) -> String {
        let counts = self.counts();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let averages = [
            ("micro avg", counts.micro_average()),
            ("macro avg", counts.macro_average()),
            ("weighted avg", counts.weighted_average()),
            ("samples avg", counts.samples_average()),
        ];
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write_table(&mut text, 4, &names, counts.per_class(), &averages);
        text
    }

    /// Computes all metrics over the rows so far, at the thresholds.
    pub fn summary(&self) -> MultiLabelSummary {
        let mut rankings = RankingMean::default();
        for class in 0..self.class_names.len() {
            rankings.add(&self.ranking(class));
        }
        MultiLabelSummary::new(
            &self.class_names,
            &self.thresholds,
            self.loss.mean(),
            &self.counts(),
            &rankings,
        )
    }

    fn counts(&self) -> LabelCounts {
        let classes = self.class_names.len();
        let mut counts = LabelCounts::new(classes);
        if classes > 0 {
            let rows = self.logits.chunks_exact(classes);
            for (logits, targets) in rows.zip(self.targets.chunks_exact(classes)) {
                let probabilities = logits.iter().map(|&logit| sigmoid(logit));
                let predicted = probabilities
                    .zip(&self.thresholds)
                    .map(|(probability, &threshold)| probability >= threshold);
                counts.update(predicted.zip(targets.iter().copied()));
            }
        }
        counts.finish()
    }

    fn ranking(&self, class: usize) -> Ranking {
        let classes = self.class_names.len();
        let logits = self.logits.iter().skip(class).step_by(classes);
        let targets = self.targets.iter().skip(class).step_by(classes);
        Ranking::new(
            logits
                .zip(targets)
                .map(|(&logit, &target)| (sigmoid(logit), target)),
        )
    }
}
