//! What a run is at a step, beside weights and optimizer: all of it goes into a checkpoint.

use std::{collections::BTreeMap, time::Instant};

use finetune_data::PackedBatch;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    BestEvaluation, EarlyStop, EarlyStopping, EvaluationRecord, Event, StepFacts, StopReason,
    TrainPlan,
};

/// Version of [`TrainState`] as it is written.
pub const STATE_VERSION: u32 = 1;

/// The state of a run after a step. There is no generator in it: orders and dropout are functions
/// of seed, epoch and step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainState {
    /// [`STATE_VERSION`].
    pub version: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// Whether what follows the step (an evaluation, say) is still to be done: the run was
    /// interrupted before.
    pub pending: bool,
    /// Why the run ended, if it has.
    pub ended: Option<StopReason>,
    /// Sums over all steps.
    pub all: Sums,
    /// Sums since the last log.
    pub since_log: Sums,
    /// The evaluation before the first step.
    pub before: Option<EvaluationRecord>,
    /// The last evaluation.
    pub last_evaluation: Option<EvaluationRecord>,
    /// The best evaluation so far.
    pub best: Option<BestEvaluation>,
    /// How long the metric has not got better.
    pub early_stopping: EarlyStopping,
    /// Evaluations in which the metric had no value.
    #[serde(default)]
    pub undefined_evaluations: u64,
    /// What observers need to go on, by name.
    pub observers: BTreeMap<String, Value>,
}

/// Sums over steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Steps.
    pub steps: u64,
    /// Their losses.
    pub loss: f64,
    /// Their rows.
    pub rows: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Their time.
    pub seconds: f64,
    /// Learning rate of the last.
    pub learning_rate: f64,
    /// Global gradient norm of the last, before clipping.
    pub grad_norm: f64,
}

impl Sums {
    fn add(&mut self, facts: StepFacts, rows: u64, tokens: u64, seconds: f64) {
        self.steps += 1;
        self.loss += facts.loss;
        self.learning_rate = facts.learning_rate;
        self.grad_norm = facts.grad_norm;
        self.rows += rows;
        self.tokens += tokens;
        self.seconds += seconds;
    }

    /// Mean loss of the steps.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.steps.max(1) as f64
    }

    /// Rows per second.
    pub fn samples_per_second(&self) -> f64 {
        self.rows as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }
}

impl TrainState {
    /// The state before the first step.
    pub fn new() -> Self {
        Self {
            version: STATE_VERSION,
            ..Self::default()
        }
    }

    /// The evaluation that ended the run early; `None` where it did not.
    pub fn early_stop(&self, plan: &TrainPlan) -> Option<EarlyStop> {
        (self.ended == Some(StopReason::EarlyStopping)).then(|| EarlyStop {
            step: self.step,
            metric: plan.evaluation.metric_for_best_model.clone(),
            evaluations: self.early_stopping.waited(),
            best_value: self.best.as_ref().map(|best| best.value),
            best_step: self.best.as_ref().map(|best| best.step),
        })
    }

    /// Counts a step.
    pub fn advance(
        &mut self,
        facts: StepFacts,
        batches: &[PackedBatch],
        started: Instant,
    ) -> Event {
        let rows = batches.iter().map(|batch| batch.batch_size() as u64).sum();
        let tokens = batches.iter().map(|batch| batch.num_tokens() as u64).sum();
        let seconds = started.elapsed().as_secs_f64();
        self.step += 1;
        for sums in [&mut self.all, &mut self.since_log] {
            sums.add(facts, rows, tokens, seconds);
        }
        Event::Progress {
            step: self.step,
            loss: facts.loss,
            rows,
            seconds,
        }
    }

    /// The log's entry of the steps since the last one.
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
            tokens: sums.tokens,
            seconds: sums.seconds,
        }
    }
}
