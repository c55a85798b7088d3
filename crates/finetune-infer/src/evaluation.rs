//! The metrics of an evaluation: those of the task, and the caller's own.

use std::collections::BTreeMap;

use finetune_metrics::{
    ClassificationAccumulator, ClassificationSummary, Metric, MetricError, MultiLabelAccumulator,
    MultiLabelSummary, Predictions, RegressionAccumulator, RegressionSummary,
};
use finetune_models::ModelConfig;
use finetune_task::Labels;
use serde::Serialize;

use crate::{
    CustomMetrics, EvaluationRecord, InferError,
    objective::{self, RowMetrics, TaskMetrics},
};

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

/// The metrics that a task has.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Summary {
    /// Of a classifier.
    Classification(Box<ClassificationSummary>),
    /// Of a multi-label classifier.
    MultiLabel(Box<MultiLabelSummary>),
    /// Of a regression model.
    Regression(RegressionSummary),
}

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
    /// The value of a metric, if the task has it.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.metrics().get(metric)
    }

    /// The metrics that fit on a line, with titles.
    pub fn headline(&self) -> Vec<(&'static str, f64)> {
        self.metrics().headline()
    }

    fn metrics(&self) -> &dyn TaskMetrics {
        match self {
            Self::Classification(summary) => summary.as_ref(),
            Self::MultiLabel(summary) => summary.as_ref(),
            Self::Regression(summary) => summary,
        }
    }
}

/// An evaluation with what tables are made of.
#[derive(Clone, Debug)]
pub enum Accumulator {
    /// Of a classifier.
    Classification(ClassificationAccumulator),
    /// Of a multi-label classifier.
    MultiLabel(MultiLabelAccumulator),
    /// Of a regression model.
    Regression(RegressionAccumulator),
}

impl Accumulator {
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
        let rows: &mut dyn RowMetrics = match self {
            Self::Classification(all) => all,
            Self::MultiLabel(all) => all,
            Self::Regression(all) => all,
        };
        rows.update(logits, width, labels)
    }

    /// The metrics so far.
    pub fn evaluation(&self) -> Evaluation {
        self.evaluation_with(&CustomMetrics::default())
    }

    /// The metrics so far, with custom ones.
    pub fn evaluation_with(&self, custom: &CustomMetrics) -> Evaluation {
        Evaluation {
            summary: self.rows().summary(),
            custom: custom.compute(&self.predictions()),
        }
    }

    /// Logits and targets of all rows so far.
    pub fn predictions(&self) -> Predictions<'_> {
        self.rows().predictions()
    }

    fn rows(&self) -> &dyn RowMetrics {
        match self {
            Self::Classification(all) => all,
            Self::MultiLabel(all) => all,
            Self::Regression(all) => all,
        }
    }
}
