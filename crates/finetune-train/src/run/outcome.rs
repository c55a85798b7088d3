//! What training came to.

use crate::{BestEvaluation, EarlyStop, EvaluationRecord, LostBest, SavingCost, StopReason};

/// The result of the training loop.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Optimizer steps done in all sessions of the run.
    pub steps: u64,
    /// Mean loss of all steps.
    pub loss: f64,
    /// Time of all steps, without evaluations.
    pub seconds: f64,
    /// Time that matrix multiplications took on the CPU in this session, for steps, evaluations and
    /// features.
    pub product_seconds: f64,
    /// Samples trained on per second of the steps' time: rows, or pairs of rows.
    pub samples_per_second: f64,
    /// Why the run ended.
    pub reason: StopReason,
    /// The evaluation that stopped the run early, if one did.
    pub early_stop: Option<EarlyStop>,
    /// The cost of this session's checkpoints.
    pub saving: SavingCost,
    /// Optimizer steps done by the kept model.
    pub kept_step: u64,
    /// The same, in epochs.
    pub kept_epoch: f64,
    /// The evaluation of the kept model, if there was one.
    pub kept_evaluation: Option<EvaluationRecord>,
    /// The best model, if it should have been kept but its checkpoint is damaged; another one is kept.
    pub lost_best: Option<LostBest>,
    /// The evaluation before the first step.
    pub before: Option<EvaluationRecord>,
    /// The best evaluation.
    pub best: Option<BestEvaluation>,
    /// The last evaluation.
    pub last: Option<EvaluationRecord>,
}
