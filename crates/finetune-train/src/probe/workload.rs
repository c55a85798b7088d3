//! What a run has to do, counted before it begins.

use serde::{Deserialize, Serialize};

use crate::{Steps, TrainData, TrainError, TrainPlan};

/// What a run of a plan has to do if it does not stop early.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Optimizer steps.
    pub steps: u64,
    /// Optimizer steps per epoch; with `batch_tokens` the mean over the epochs.
    pub steps_per_epoch: f64,
    /// Passes over the training rows.
    pub epochs: f64,
    /// Steps in which the learning rate rises.
    pub warmup_steps: u64,
    /// Training rows.
    pub train_rows: u64,
    /// Pairs of rows per epoch, if the model learns from pairs.
    pub pairs_per_epoch: Option<u64>,
    /// Tokens in all training rows.
    pub tokens_per_epoch: u64,
    /// Tokens in the longest training row.
    pub longest_row: u64,
    /// Training rows that are cut at the maximum length.
    pub truncated_rows: u64,
    /// Share of the first epoch's tokens that padded batches would have added; not computed for pairs.
    pub padding_avoided: Option<f64>,
    /// Validation rows.
    pub validation_rows: u64,
    /// Test rows, which are evaluated once, at the end.
    pub test_rows: u64,
    /// Evaluations of the validation rows, with the one before the first step.
    pub evaluations: u64,
    /// Checkpoints that are due.
    pub checkpoints: u64,
    /// Evaluations after which there is a checkpoint only if they are the best so far.
    pub checkpoints_if_best: u64,
}

impl Workload {
    /// Counts what a run of `plan` on these rows has to do.
    ///
    /// # Errors
    /// Fails if there are no rows, or if their lengths cannot be read.
    pub fn of(plan: &TrainPlan, data: &TrainData) -> Result<Self, TrainError> {
        let steps = Steps::new(plan, &data.train)?;
        let (eval, save) = (plan.evaluation.eval, plan.saving.save);
        let (mut evaluations, mut checkpoints, mut checkpoints_if_best) = (0, 0, 0);
        for step in 1..=steps.total {
            let moment = steps.moment(step, step == steps.total);
            let (evaluates, saves) = (eval.is_due(moment), save.is_due(moment));
            evaluations += u64::from(evaluates);
            checkpoints += u64::from(saves);
            let if_best = evaluates && !saves && plan.evaluation.load_best_model_at_end;
            checkpoints_if_best += u64::from(if_best);
        }
        Ok(Self {
            steps: steps.total,
            steps_per_epoch: steps.per_epoch(),
            epochs: steps.passes(),
            warmup_steps: steps.schedule(plan)?.warmup_steps(),
            train_rows: data.train.len(),
            pairs_per_epoch: steps.pairs_per_epoch(),
            tokens_per_epoch: data.train.total_tokens(),
            longest_row: data.train.lengths().max as u64,
            truncated_rows: data.train.truncated_rows(),
            padding_avoided: steps.padding_avoided()?,
            validation_rows: data.validation.len(),
            test_rows: data.test.as_ref().map_or(0, |test| test.len()),
            evaluations: evaluations + u64::from(plan.evaluation.eval_on_start),
            checkpoints,
            checkpoints_if_best,
        })
    }
}
