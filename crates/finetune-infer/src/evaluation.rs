//! The metrics of an evaluation: the task's and the caller's custom ones.

use std::{collections::BTreeMap, sync::Arc};

use finetune_metrics::Metric;
use serde::{Serialize, Serializer};

use crate::{EvaluationRecord, objective::TaskMetrics};

/// The metrics of an evaluation. Its JSON is one object of the task's metrics and the custom ones.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The task's metrics.
    #[serde(flatten)]
    pub summary: Summary,
    /// The caller's custom metrics, and the [agreement](Self::AGREEMENT), by name.
    #[serde(flatten)]
    pub custom: BTreeMap<String, f64>,
}

/// A task's metrics. Its JSON is an object of metrics by name, where undefined ones are null.
#[derive(Clone, Debug)]
pub struct Summary(Arc<dyn TaskMetrics>);

impl Evaluation {
    /// The name of the share of rows for which a student predicts what its teacher predicts (for numbers, of
    /// their correlation).
    pub const AGREEMENT: &str = "agreement";

    /// Returns the value of a metric by name, if the task has it or it is a custom one.
    pub fn get(&self, name: &str) -> Option<f64> {
        let from_task = || self.summary.get(name.parse().ok()?);
        self.custom.get(name).copied().or_else(from_task)
    }

    /// Adds how far a model agrees with the one that it learned from, if there is one.
    pub fn with_agreement(mut self, agreement: Option<f64>) -> Self {
        let named = agreement.map(|value| (Self::AGREEMENT.to_string(), value));
        self.custom.extend(named);
        self
    }

    /// Returns the evaluation as stored in files.
    pub fn record(&self) -> EvaluationRecord {
        EvaluationRecord::of(self)
    }
}

impl Summary {
    /// Wraps the metrics of an objective.
    pub(crate) fn new(metrics: impl TaskMetrics + 'static) -> Self {
        Self(Arc::new(metrics))
    }

    /// Returns the value of a metric, if the task has it.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.0.get(metric)
    }

    /// Returns the metrics to show on one line, with titles.
    pub fn headline(&self) -> Vec<(&'static str, f64)> {
        self.0.headline()
    }
}

/// Compares the serialised metrics.
impl PartialEq for Summary {
    fn eq(&self, other: &Self) -> bool {
        self.0.json() == other.0.json()
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.json().serialize(serializer)
    }
}
