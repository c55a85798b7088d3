//! Custom metrics, and the metric by which models are compared.

use std::collections::BTreeMap;

use finetune_metrics::{CustomMetric, Metric, Predictions, bare_name, is_better};
use finetune_task::ProblemType;

use crate::InferError;

/// Metrics that the caller defines.
#[derive(Default)]
pub struct CustomMetrics(Vec<Box<dyn CustomMetric>>);

impl CustomMetrics {
    /// Adds a metric.
    ///
    /// # Errors
    /// Fails if another metric has the same name.
    pub fn with(mut self, metric: impl CustomMetric + 'static) -> Result<Self, InferError> {
        let name = metric.name();
        if name.parse::<Metric>().is_ok() || self.0.iter().any(|other| other.name() == name) {
            return Err(InferError::MetricTaken { name: name.into() });
        }
        self.0.push(Box::new(metric));
        Ok(self)
    }

    /// Returns the value of each metric on these rows, by name.
    pub(crate) fn compute(&self, predictions: &Predictions<'_>) -> BTreeMap<String, f64> {
        let metrics = self.0.iter();
        metrics
            .map(|metric| (metric.name().to_string(), metric.compute(predictions)))
            .collect()
    }

    /// Returns the metric with this name, with or without transformers' prefix `eval_`, for a model of
    /// `problem_type`.
    ///
    /// # Errors
    /// Fails if no metric has this name; the message lists the known ones.
    pub fn choose(
        &self,
        name: &str,
        problem_type: ProblemType,
    ) -> Result<ChosenMetric, InferError> {
        let bare = bare_name(name);
        if let Some(metric) = self.0.iter().find(|metric| metric.name() == bare) {
            return Ok(ChosenMetric {
                name: bare.into(),
                greater_is_better: metric.greater_is_better(),
            });
        }
        let metric =
            Metric::parse(name, problem_type).map_err(|error| match self.0.is_empty() {
                true => InferError::from(error),
                false => InferError::UnknownMetric {
                    error,
                    own: self.0.iter().map(|metric| metric.name().into()).collect(),
                },
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

/// The metric by which models are compared: one of the task's or a custom one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenMetric {
    name: String,
    greater_is_better: bool,
}

impl ChosenMetric {
    /// Returns the metric of masked language modelling with this name, with or without transformers'
    /// prefix `eval_`.
    ///
    /// # Errors
    /// Fails if there is no such metric; the message lists the known ones.
    pub fn masked(name: &str) -> Result<Self, InferError> {
        Ok(Metric::parse_masked(name)?.into())
    }

    /// Returns the metric's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether a larger value means a better model.
    pub fn greater_is_better(&self) -> bool {
        self.greater_is_better
    }

    /// Returns whether `value` is better than `best`. NaN is never better, and anything is better than
    /// NaN.
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
