//! Metrics of the caller's own, and the metric by which models are compared.

use std::collections::BTreeMap;

use finetune_metrics::{CustomMetric, Metric, Predictions, bare_name, is_better};
use finetune_task::ProblemType;

use crate::InferError;

/// Metrics of the caller's own.
#[derive(Default)]
pub struct CustomMetrics(Vec<Box<dyn CustomMetric>>);

impl CustomMetrics {
    /// Adds a metric.
    ///
    /// # Errors
    /// A name that another metric has.
    pub fn with(mut self, metric: impl CustomMetric + 'static) -> Result<Self, InferError> {
        let name = metric.name();
        if name.parse::<Metric>().is_ok() || self.0.iter().any(|other| other.name() == name) {
            return Err(InferError::MetricTaken { name: name.into() });
        }
        self.0.push(Box::new(metric));
        Ok(self)
    }

    /// By name the value of each on these rows.
    pub(crate) fn compute(&self, predictions: &Predictions<'_>) -> BTreeMap<String, f64> {
        let metrics = self.0.iter();
        metrics
            .map(|metric| (metric.name().to_string(), metric.compute(predictions)))
            .collect()
    }

    /// The metric of this name, with or without transformers' prefix `eval_`, that a model of
    /// `problem_type` has.
    ///
    /// # Errors
    /// A name that no metric has; the message lists them.
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
