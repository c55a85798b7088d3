//! Accumulates an evaluation row by row, and keeps what its tables need.

use finetune_metrics::{
    ClassificationAccumulator, Interval, Metric, MetricError, MultiLabelAccumulator, Predictions,
};
use finetune_models::ModelConfig;
use finetune_task::Labels;
use serde_json::{Map, Value, json};

use crate::{
    ClassCurve, CustomMetrics, Evaluation, InferError, WorstRows,
    objective::{self, RowMetrics},
};

/// Accumulates a task's metrics row by row and keeps every row's logits and labels.
#[derive(Debug)]
pub struct Accumulator(Box<dyn RowMetrics>);

impl Accumulator {
    /// Wraps the metrics of an objective.
    pub(crate) fn new(metrics: impl RowMetrics + 'static) -> Self {
        Self(Box::new(metrics))
    }

    /// Creates an empty accumulator for a model with this configuration.
    ///
    /// # Errors
    /// Fails if the configuration's thresholds are invalid.
    pub fn of(config: &ModelConfig) -> Result<Self, InferError> {
        let objective = objective::of(config.outputs.problem_type());
        objective.accumulator(&config.outputs, config.label_thresholds.as_deref())
    }

    /// Adds rows by their logits, `[rows, width]` in row-major order, and labels. Returns `false` and
    /// adds nothing if the labels are of another kind or width.
    ///
    /// # Errors
    /// Fails if a metric rejects the values.
    pub fn update(
        &mut self,
        logits: &[f32],
        width: usize,
        labels: &Labels,
    ) -> Result<bool, MetricError> {
        self.0.update(logits, width, labels)
    }

    /// Returns the metrics so far.
    pub fn evaluation(&self) -> Evaluation {
        self.evaluation_with(&CustomMetrics::default())
    }

    /// Returns the metrics so far, including custom ones.
    pub fn evaluation_with(&self, custom: &CustomMetrics) -> Evaluation {
        Evaluation {
            summary: self.0.summary(),
            custom: custom.compute(&self.predictions()),
        }
    }

    /// Returns the logits and targets of all rows so far.
    pub fn predictions(&self) -> Predictions<'_> {
        self.0.predictions()
    }

    /// Formats the metrics for people, as scikit-learn's report or one line. `shown` makes names
    /// printable.
    pub fn report(&self, shown: impl Fn(&str) -> String) -> String {
        self.0.report(&shown)
    }

    /// Returns 95 % bootstrap intervals, which say how far a metric may be off because of the choice
    /// of rows; empty for tasks without them.
    pub fn intervals(&self) -> Vec<(Metric, Interval)> {
        self.0.intervals()
    }

    /// Returns the metrics as JSON, with [`intervals`](Self::intervals) as `confidence_intervals` if
    /// there are any.
    pub fn json_with_intervals(&self) -> Value {
        let mut metrics = serde_json::to_value(self.evaluation()).unwrap_or_default();
        let intervals = self.intervals().into_iter();
        let intervals: Map<_, _> = intervals
            .map(|(metric, interval)| (metric.to_string(), json!(interval)))
            .collect();
        if !intervals.is_empty() {
            metrics["confidence_intervals"] = intervals.into();
        }
        metrics
    }

    /// Returns the `count` rows (or single labels of rows) that the model got most wrong, worst first;
    /// ties are in row order.
    pub fn worst_rows(&self, count: usize) -> WorstRows {
        self.0.worst_rows(count)
    }

    /// Returns the data for each class's precision-recall curve; empty if there are no classes or more
    /// than `most`.
    pub fn curves(&self, most: usize) -> Vec<ClassCurve<'_>> {
        match self.predictions().outputs() > most {
            true => Vec::new(),
            false => self.0.curves(),
        }
    }

    /// Returns the accumulator of single-label classification, which has calibration.
    pub fn as_classes(&self) -> Option<&ClassificationAccumulator> {
        self.0.as_classes()
    }

    /// Returns the accumulator of multi-label classification, which has thresholds.
    pub fn as_labels(&self) -> Option<&MultiLabelAccumulator> {
        self.0.as_labels()
    }
}
