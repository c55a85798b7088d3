//! The metrics of an evaluation: those of the task, and the caller's own.

use std::collections::BTreeMap;

use finetune_metrics::{
    ClassificationAccumulator, ClassificationSummary, CustomMetric, Metric, MultiLabelAccumulator,
    MultiLabelSummary, Predictions, RegressionAccumulator, RegressionSummary, is_better,
};
use finetune_task::ProblemType;
use serde::Serialize;

use crate::TrainError;

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
}

impl Summary {
    /// The value of a metric, if the task has it.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match self {
            Self::Classification(summary) => summary.get(metric),
            Self::MultiLabel(summary) => summary.get(metric),
            Self::Regression(summary) => summary.get(metric),
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
    /// The metrics so far.
    pub fn evaluation(&self) -> Evaluation {
        self.evaluation_with(&CustomMetrics::default())
    }

    /// The metrics so far, with custom ones.
    pub fn evaluation_with(&self, custom: &CustomMetrics) -> Evaluation {
        let predictions = self.predictions();
        let custom = custom.0.iter();
        Evaluation {
            summary: match self {
                Self::Classification(all) => Summary::Classification(Box::new(all.summary())),
                Self::MultiLabel(all) => Summary::MultiLabel(Box::new(all.summary())),
                Self::Regression(all) => Summary::Regression(all.summary()),
            },
            custom: custom
                .map(|metric| (metric.name().to_string(), metric.compute(&predictions)))
                .collect(),
        }
    }

    /// Logits and targets of all rows so far.
    pub fn predictions(&self) -> Predictions<'_> {
        match self {
            Self::Classification(all) => all.predictions(),
            Self::MultiLabel(all) => all.predictions(),
            Self::Regression(all) => all.predictions(),
        }
    }
}

/// Metrics of the caller's own.
#[derive(Default)]
pub struct CustomMetrics(Vec<Box<dyn CustomMetric>>);

impl CustomMetrics {
    /// Adds a metric.
    ///
    /// # Errors
    /// A name that another metric has.
    pub fn with(mut self, metric: impl CustomMetric + 'static) -> Result<Self, TrainError> {
        let name = metric.name();
        if name.parse::<Metric>().is_ok() || self.0.iter().any(|other| other.name() == name) {
            return Err(TrainError::Plan(format!(
                "there is a metric called {name} already; give yours another name"
            )));
        }
        self.0.push(Box::new(metric));
        Ok(self)
    }

    /// The metric of this name, with or without transformers' prefix `eval_`, that a model of `problem_type`
    /// has.
    ///
    /// # Errors
    /// A name that no metric has; the message lists them.
    pub fn choose(
        &self,
        name: &str,
        problem_type: ProblemType,
    ) -> Result<ChosenMetric, TrainError> {
        let bare = name.strip_prefix("eval_").unwrap_or(name);
        if let Some(metric) = self.0.iter().find(|metric| metric.name() == bare) {
            return Ok(ChosenMetric {
                name: bare.into(),
                greater_is_better: metric.greater_is_better(),
            });
        }
        let metric =
            Metric::parse(name, problem_type).map_err(|error| match self.0.is_empty() {
                true => TrainError::from(error),
                false => {
                    let own: Vec<_> = self.0.iter().map(|metric| metric.name()).collect();
                    TrainError::Plan(format!("{error}, {}", own.join(", ")))
                }
            })?;
        Ok(metric.into())
    }
}

impl std::fmt::Debug for CustomMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.0.iter().map(|metric| metric.name());
        f.debug_list().entries(names).finish()
    }
}

/// The metric by which models are compared: one of the task's, or a custom one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenMetric {
    name: String,
    greater_is_better: bool,
}

impl ChosenMetric {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a larger value is a better model.
    pub fn greater_is_better(&self) -> bool {
        self.greater_is_better
    }

    /// Whether `value` is better than `best`. NaN is never better, and anything is better than NaN.
    pub fn is_better(&self, value: f64, best: f64) -> bool {
        is_better(self.greater_is_better, value, best)
    }
}

impl From<Metric> for ChosenMetric {
    fn from(metric: Metric) -> Self {
        Self {
            name: metric.name().into(),
            greater_is_better: metric.greater_is_better(),
        }
    }
}
