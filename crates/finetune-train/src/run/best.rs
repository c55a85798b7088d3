//! Which evaluation was the best so far.

use serde::{Deserialize, Serialize};

use crate::{ChosenMetric, Evaluation, EvaluationRecord};

/// The evaluation of the model that is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestEvaluation {
    /// Steps done then.
    pub step: u64,
    /// Value of the metric.
    pub value: f64,
    /// All metrics, as the event log has them.
    pub evaluation: EvaluationRecord,
}

impl BestEvaluation {
    /// This evaluation, if it is better than `best`. Of equal ones the first stays.
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
