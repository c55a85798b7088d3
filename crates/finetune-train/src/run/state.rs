//! The state of a run after a step, besides weights and optimizer, as checkpoints store it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    BestEvaluation, EarlyStop, EarlyStopping, EvaluationRecord, Event, StepFacts, StopReason,
    TrainPlan,
};

/// Version of the stored [`TrainState`].
pub const STATE_VERSION: u32 = 1;

/// The state of a run after a step. It holds no random generator: row orders and dropout are functions
/// of seed, epoch and step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainState {
    /// [`STATE_VERSION`].
    pub version: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// Whether the work that follows the step, such as an evaluation, is still to be done because the
    /// run was interrupted.
    pub pending: bool,
    /// Why the run ended, if it has.
    pub ended: Option<StopReason>,
    /// Sums over all steps of the run.
    pub all: Sums,
    /// Sums over the steps since the last log entry.
    pub since_log: Sums,
    /// The evaluation before the first step.
    pub before: Option<EvaluationRecord>,
    /// The last evaluation.
    pub last_evaluation: Option<EvaluationRecord>,
    /// The best evaluation so far.
    pub best: Option<BestEvaluation>,
    /// Progress of early stopping.
    pub early_stopping: EarlyStopping,
    /// Number of evaluations in which the metric was undefined.
    #[serde(default)]
    pub undefined_evaluations: u64,
    /// The states of the observers, by name.
    pub observers: BTreeMap<String, Value>,
}

/// Sums over steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Number of steps.
    pub steps: u64,
    /// Sum of their losses.
    pub loss: f64,
    /// Number of their rows.
    pub rows: u64,
    /// Number of their tokens.
    pub tokens: u64,
    /// Time they took.
    pub seconds: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Global gradient norm of the last step, before clipping.
    pub grad_norm: f64,
}

impl Sums {
    fn add(&mut self, facts: &StepFacts) {
        self.steps += 1;
        self.loss += facts.loss;
        self.learning_rate = facts.learning_rate;
        self.grad_norm = facts.grad_norm;
        self.rows += facts.rows.len() as u64;
        self.tokens += facts.tokens;
        self.seconds += facts.seconds;
    }

    /// Returns the mean loss of the steps.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.steps.max(1) as f64
    }

    /// Returns the samples processed per second: rows, or pairs of rows if the plan's strategy pairs them.
    pub fn samples_per_second(&self, plan: &TrainPlan) -> f64 {
        let samples = plan.pairs_in(self.rows).unwrap_or(self.rows);
        samples as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }
}

impl TrainState {
    /// Returns the state before the first step.
    pub fn new() -> Self {
        Self {
            version: STATE_VERSION,
            ..Self::default()
        }
    }

    /// Returns the evaluation that stopped the run early; `None` if none did.
    pub fn early_stop(&self, plan: &TrainPlan) -> Option<EarlyStop> {
        (self.ended == Some(StopReason::EarlyStopping)).then(|| EarlyStop {
            step: self.step,
            metric: plan.evaluation.metric_for_best_model.clone(),
            evaluations: self.early_stopping.waited(),
            best_value: self.best.as_ref().map(|best| best.value),
            best_step: self.best.as_ref().map(|best| best.step),
        })
    }

    /// Counts a completed step of a plan, and returns its event.
    pub fn advance(&mut self, facts: &StepFacts, plan: &TrainPlan) -> Event {
        self.step += 1;
        for sums in [&mut self.all, &mut self.since_log] {
            sums.add(facts);
        }
        let rows = facts.rows.len() as u64;
        Event::Progress {
            step: self.step,
            loss: facts.loss,
            rows,
            pairs: plan.pairs_in(rows),
            seconds: facts.seconds,
        }
    }

    /// Returns the log entry of the steps since the last one, and starts new sums.
    pub fn take_log(&mut self, epoch: f64, plan: &TrainPlan) -> Event {
        let sums = std::mem::take(&mut self.since_log);
        Event::Step {
            step: self.step,
            epoch,
            loss: sums.mean_loss(),
            learning_rate: sums.learning_rate,
            head_learning_rate: plan.optimization.head_learning_rate_at(sums.learning_rate),
            grad_norm: sums.grad_norm,
            rows: sums.rows,
            pairs: plan.pairs_in(sums.rows),
            tokens: sums.tokens,
            seconds: sums.seconds,
        }
    }
}
