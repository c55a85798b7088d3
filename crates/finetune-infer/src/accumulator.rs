//! An evaluation with what tables are made of.

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

/// The metrics of a task, row by row, with every row's logits and labels.
#[derive(Debug)]
pub struct Accumulator(Box<dyn RowMetrics>);

impl Accumulator {
    /// Of the metrics of an objective.
    pub(crate) fn new(metrics: impl RowMetrics + 'static) -> Self {
        Self(Box::new(metrics))
    }

    /// Of a model of this configuration, without rows.
    ///
    /// # Errors
    /// Thresholds that cannot be.
    pub fn of(config: &ModelConfig) -> Result<Self, InferError> {
        let objective = objective::of(config.outputs.problem_type());
        objective.accumulator(&config.outputs, config.label_thresholds.as_deref())
    }

    /// Adds rows: their logits, `[rows, width]` row by row, and their labels. `false`: the labels are
    /// of another kind or width, and nothing was added.
    ///
    /// # Errors
    /// Numbers that no metric takes.
    pub fn update(
        &mut self,
        logits: &[f32],
        width: usize,
        labels: &Labels,
    ) -> Result<bool, MetricError> {
        self.0.update(logits, width, labels)
    }

    /// The metrics so far.
    pub fn evaluation(&self) -> Evaluation {
        self.evaluation_with(&CustomMetrics::default())
    }

    /// The metrics so far, with custom ones.
    pub fn evaluation_with(&self, custom: &CustomMetrics) -> Evaluation {
        Evaluation {
            summary: self.0.summary(),
            custom: custom.compute(&self.predictions()),
        }
    }

    /// Logits and targets of all rows so far.
    pub fn predictions(&self) -> Predictions<'_> {
        self.0.predictions()
    }

    /// The metrics as tables for a person: scikit-learn's report, or a line. `shown` makes names fit
    /// to be printed.
    pub fn report(&self, shown: impl Fn(&str) -> String) -> String {
        self.0.report(&shown)
    }

    /// 95 % intervals of the bootstrap: how far a metric may be off by the choice of the rows. Of
    /// the tasks that have such metrics.
    pub fn intervals(&self) -> Vec<(Metric, Interval)> {
        self.0.intervals()
    }

    /// The metrics as JSON, with [`intervals`](Self::intervals) as `confidence_intervals` where there are
    /// any.
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

    /// The `count` rows (or single labels of rows) that the model got most wrong, the worst first,
    /// of equal ones the earlier row.
    pub fn worst_rows(&self, count: usize) -> WorstRows {
        self.0.worst_rows(count)
    }

    /// What a precision-recall curve of each class is drawn from; none where there are no classes,
    /// or more than `most`.
    pub fn curves(&self, most: usize) -> Vec<ClassCurve<'_>> {
        self.0.curves(most)
    }

    /// That of one class per row, if it is: it has calibration.
    pub fn as_classes(&self) -> Option<&ClassificationAccumulator> {
        self.0.as_classes()
    }

    /// That of any number of classes per row, if it is: it has thresholds.
    pub fn as_labels(&self) -> Option<&MultiLabelAccumulator> {
        self.0.as_labels()
    }
}
