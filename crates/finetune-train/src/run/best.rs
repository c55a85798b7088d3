//! The best evaluation so far.

use serde::{Deserialize, Serialize};

use crate::{ChosenMetric, Evaluation, EvaluationRecord};

/// The evaluation of the best model so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestEvaluation {
    /// Optimizer steps done at that point.
    pub step: u64,
    /// Value of the metric.
    pub value: f64,
    /// All metrics, as stored in the event log.
    pub evaluation: EvaluationRecord,
}

impl BestEvaluation {
    /// Returns this evaluation if it is better than `best`. Ties keep the earlier one.
    pub fn better(
        best: Option<&Self>,
        metric: &ChosenMetric,
        evaluation: &Evaluation,
        step: u64,
    ) -> Option<Self> {
        let value = evaluation.get(metric.name())?;
        let better = match best {
            None => !value.is_nan(),
            Some(best) => metric.is_better(value, best.value),
        };
        better.then(|| Self {
            step,
            value,
            evaluation: evaluation.record(),
        })
    }
}
