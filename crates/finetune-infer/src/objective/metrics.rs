//! The interfaces of a task's metrics.

use std::fmt;

use finetune_metrics::{
    ClassificationAccumulator, Interval, Metric, MetricError, MultiLabelAccumulator, Predictions,
};
use finetune_task::Labels;
use serde_json::Value;

use crate::{ClassCurve, Summary, WorstRows};

/// Metrics of a task that accumulate row by row. [`Accumulator`](crate::Accumulator) wraps one and
/// documents the methods.
pub(crate) trait RowMetrics: fmt::Debug + Send + Sync {
    /// Adds rows by their logits, `[rows, width]` in row-major order, and labels. Returns `false` if
    /// the labels are of another kind or width.
    ///
    /// # Errors
    /// Fails if a metric rejects the values.
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

    fn curves(&self) -> Vec<ClassCurve<'_>> {
        Vec::new()
    }

    fn as_classes(&self) -> Option<&ClassificationAccumulator> {
        None
    }

    fn as_labels(&self) -> Option<&MultiLabelAccumulator> {
        None
    }
}

/// The computed metrics of a task, which a [`Summary`] wraps.
pub(crate) trait TaskMetrics: fmt::Debug + Send + Sync {
    /// Returns the value of a metric, if the task has it.
    fn get(&self, metric: Metric) -> Option<f64>;

    /// Returns the metrics to show on one line, with titles.
    fn headline(&self) -> Vec<(&'static str, f64)>;

    /// Returns all metrics by name, where undefined ones are null.
    fn json(&self) -> Value;
}
