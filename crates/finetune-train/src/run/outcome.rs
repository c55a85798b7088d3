//! What training came to.

use crate::{BestEvaluation, EarlyStop, EvaluationRecord, LostBest, SavingCost, StopReason};

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Steps done, over all sessions of the run.
    pub steps: u64,
    /// Mean loss of all steps.
    pub loss: f64,
    /// Time of all steps, without evaluations.
    pub seconds: f64,
    /// Time that this session's matrix multiplications took on the CPU: of steps, evaluations, features.
    pub product_seconds: f64,
    /// Rows trained on per second of that time.
    pub samples_per_second: f64,
    /// Why it ended.
    pub reason: StopReason,
    /// The evaluation that ended it early, if one did.
    pub early_stop: Option<EarlyStop>,
    /// What the checkpoints of this session cost.
    pub saving: SavingCost,
    /// Steps after which the model was what is kept.
    pub kept_step: u64,
    /// The same in epochs.
    pub kept_epoch: f64,
    /// The evaluation of that model, if there was one.
    pub kept_evaluation: Option<EvaluationRecord>,
    /// The best model, if it was to be kept and its checkpoint is damaged: another is kept.
    pub lost_best: Option<LostBest>,
    /// The evaluation before the first step.
    pub before: Option<EvaluationRecord>,
    /// The best evaluation.
    pub best: Option<BestEvaluation>,
    /// The last evaluation.
    pub last: Option<EvaluationRecord>,
}
