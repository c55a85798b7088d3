//! Which evaluation was the best so far.

use crate::{ChosenMetric, Evaluation};

/// Remembers the best value of a metric and its step.
#[derive(Clone, Debug)]
pub struct BestModel {
    metric: ChosenMetric,
    best: Option<BestEvaluation>,
}

/// The evaluation of the model that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct BestEvaluation {
    /// Steps done then.
    pub step: u64,
    /// Value of the metric.
    pub value: f64,
    /// All metrics.
    pub evaluation: Evaluation,
}

impl BestModel {
    /// Nothing yet.
    pub fn new(metric: impl Into<ChosenMetric>) -> Self {
        Self {
            metric: metric.into(),
            best: None,
        }
    }

    /// Whether this evaluation is better than all before; if so it is remembered. Of equal ones
    /// the first stays.
    pub fn improves(&mut self, evaluation: &Evaluation, step: u64) -> bool {
        let Some(value) = evaluation.get(self.metric.name()) else {
            return false;
        };
        let better = match &self.best {
            None => true,
            Some(best) => self.metric.is_better(value, best.value),
        };
        if better {
            self.best = Some(BestEvaluation {
                step,
                value,
                evaluation: evaluation.clone(),
            });
        }
        better
    }

    /// The best so far.
    pub fn get(&self) -> Option<&BestEvaluation> {
        self.best.as_ref()
    }
}
