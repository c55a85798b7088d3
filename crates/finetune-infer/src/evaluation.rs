//! The metrics of an evaluation: those of the task, and the caller's own.

use std::{collections::BTreeMap, sync::Arc};

use finetune_metrics::Metric;
use serde::{Serialize, Serializer};

use crate::{EvaluationRecord, objective::TaskMetrics};

/// The metrics of an evaluation. As JSON: one object of the task's metrics and the custom ones.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Those of the task.
    #[serde(flatten)]
    pub summary: Summary,
    /// The caller's own, by name.
    #[serde(flatten)]
    pub custom: BTreeMap<String, f64>,
}

/// The metrics that a task has. As JSON: an object of them by name, null where one is undefined.
#[derive(Clone, Debug)]
pub struct Summary(Arc<dyn TaskMetrics>);

impl Evaluation {
    /// The value of a metric by its name, if the task has it or it is a custom one.
    pub fn get(&self, name: &str) -> Option<f64> {
        let own = || self.summary.get(name.parse().ok()?);
        self.custom.get(name).copied().or_else(own)
    }

    /// The same as files have it.
    pub fn record(&self) -> EvaluationRecord {
        EvaluationRecord::of(self)
    }
}

impl Summary {
    /// Of the metrics of an objective.
    pub(crate) fn new(metrics: impl TaskMetrics + 'static) -> Self {
        Self(Arc::new(metrics))
    }

    /// The value of a metric, if the task has it.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.0.get(metric)
    }

    /// The metrics that fit on a line, with titles.
    pub fn headline(&self) -> Vec<(&'static str, f64)> {
        self.0.headline()
    }
}

/// Equal where the files that have them are.
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
