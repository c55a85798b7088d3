//! What an evaluation of a task can answer.

use std::fmt;

use finetune_metrics::{
    ClassificationAccumulator, Interval, Metric, MetricError, MultiLabelAccumulator, Predictions,
};
use finetune_task::Labels;
use serde_json::Value;

use crate::{ClassCurve, Summary, WorstRows};

/// Metrics of a task, row by row. What an [`Accumulator`](crate::Accumulator) holds, whose methods
/// say what these are.
pub(crate) trait RowMetrics: fmt::Debug + Send + Sync {
    /// Adds rows: their logits, `[rows, width]` row by row, and their labels. `false`: the labels
    /// are of another kind or width.
    fn update(
        &mut self,
        logits: &[f32],
        width: usize,
        labels: &Labels,
    ) -> Result<bool, MetricError>;

    fn summary(&self) -> Summary;

    fn predictions(&self) -> Predictions<'_>;

    fn report(&self, shown: &dyn Fn(&str) -> String) -> String;

    fn worst_rows(&self, count: usize) -> WorstRows;

    fn intervals(&self) -> Vec<(Metric, Interval)> {
        Vec::new()
    }

    fn curves(&self, _most: usize) -> Vec<ClassCurve<'_>> {
        Vec::new()
    }

    fn as_classes(&self) -> Option<&ClassificationAccumulator> {
        None
    }

    fn as_labels(&self) -> Option<&MultiLabelAccumulator> {
        None
    }
}

/// The metrics of a task. What a [`Summary`] holds.
pub(crate) trait TaskMetrics: fmt::Debug + Send + Sync {
    /// The value of a metric, if the task has it.
    fn get(&self, metric: Metric) -> Option<f64>;

    /// The metrics that fit on a line, with titles.
    fn headline(&self) -> Vec<(&'static str, f64)>;

    /// All of them, by name; null where one is undefined.
    fn json(&self) -> Value;
}
