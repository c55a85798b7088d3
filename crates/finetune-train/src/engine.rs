//! The training loop.

use std::time::Instant;

use burn::module::Module;
use finetune_data::TokenizedDataset;
use finetune_kernels::DropoutSource;
use serde_json::Value;

use crate::{
    AfterStep, BatchLoss, BestEvaluation, Checkpoints, Ema, Event, LastStep, Observers, Optimizer,
    ParameterGradients, RunDirectory, Schedule, Start, Steps, StopReason, TrainError, TrainPlan,
    TrainState, Unfreezing, clip_factor, finite::finite,
};

/// What a run trains on.
#[derive(Clone, Debug)]
pub struct TrainData {
    /// Training rows.
    pub train: TokenizedDataset,
    /// Validation rows.
    pub validation: TokenizedDataset,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Steps done, over all sessions of the run.
    pub steps: u64,
    /// Mean loss of all steps.
    pub loss: f64,
    /// Time of all steps, without evaluations.
    pub seconds: f64,
    /// Rows trained on per second of that time.
    pub samples_per_second: f64,
    /// Why it ended.
    pub reason: StopReason,
    /// Steps after which the model was what is kept.
    pub kept_step: u64,
    /// The same in epochs.
    pub kept_epoch: f64,
    /// The evaluation before the first step.
    pub before: Option<Value>,
    /// The best evaluation.
    pub best: Option<BestEvaluation>,
    /// The last evaluation.
    pub last: Option<Value>,
}

/// Trains by `plan` from `start` on, and leaves the result in `run`, or a checkpoint if it is
/// interrupted. The same plan, data and weights give the same bits, in one session or in many.
pub fn train(
    plan: &TrainPlan,
    start: Start,
    data: &TrainData,
    run: &RunDirectory,
    observers: &mut Observers<'_>,
) -> Result<Outcome, TrainError> {
    let steps = Steps::new(plan, &data.train)?;
    let schedule = Schedule::new(
        &plan.schedule,
        plan.learning_rate,
        steps.warmup(plan),
        steps.total,
    )?;
    let begins = start.state == TrainState::new();
    let mut state = start.state;
    let model = start.prepared.model.train();
    let unfreezing = Unfreezing::new(plan, steps.per_epoch, model.config());
    let mut model = unfreezing.apply(model, state.step.saturating_sub(1))?;
    let mut optimizer = Optimizer::new(plan.optimizer.clone(), plan.parameter_groups(&model));
    let mut ema = Ema::new(plan.ema_decay);
    optimizer.restore(start.optimizer)?;
    ema.restore(start.ema)?;
    let mut loss = BatchLoss::new(plan, &model);
    let mut after = AfterStep {
        plan,
        steps: &steps,
        validation: &data.validation,
        checkpoints: Checkpoints::open(plan, run, start.prepared.adapter)?,
        metric: plan.metric()?,
    };
    if begins {
        observers.emit(&Event::Started {
            version: env!("CARGO_PKG_VERSION"),
            train_rows: data.train.len(),
            validation_rows: data.validation.len(),
            steps_per_epoch: steps.per_epoch,
            total_steps: steps.total,
            warmup_steps: schedule.warmup_steps(),
            parameters: start.prepared.all,
            trainable_parameters: start.prepared.trainable,
            padding_avoided: steps.sampler().padding(0)?.avoided(),
        })?;
        after.before_the_first(&model, &mut state, observers)?;
    } else {
        observers.emit(&Event::Resumed {
            step: state.step,
            total_steps: steps.total,
        })?;
    }

    // What was interrupted or killed after its last step has only to be finished.
    let mut reason = after.resumed(&model, &optimizer, &ema, &mut state, observers)?;
    let mut rows = steps.from(state.step)?;
    while reason.is_none() {
        let Some(batches) = rows.next() else { break };
        let started = Instant::now();
        let step = state.step;
        if unfreezing.changes_at(step) {
            model = unfreezing.apply(model, step)?;
            loss = BatchLoss::new(plan, &model);
            observers.emit(&Unfreezing::event(&model, step))?;
        }
        let batches = batches?.iter().map(|rows| data.train.batch(rows));
        let batches = batches.collect::<Result<Vec<_>, _>>()?;
        let dropout = |index| DropoutSource::at(plan.seed, steps.forward_pass(step, index));
        let (value, gradients) = loss.backward(&model, &batches, dropout)?;
        let grad_norm = gradients.global_norm();
        let learning_rate = schedule.at(step);
        let last = LastStep {
            learning_rate,
            grad_norm,
        };
        finite(value, last, step, &batches, &data.train)?;
        let clip = clip_factor(grad_norm, plan.max_grad_norm);
        let momentum = schedule.momentum_at(step);
        model = optimizer.step(model, gradients, learning_rate, momentum, clip);
        ema.update(&model);
        let progress = state.advance(value, last, &batches, started);
        observers.emit(&progress)?;
        reason = after.step(&model, &optimizer, &ema, &mut state, observers)?;
    }
    let reason = reason.unwrap_or(StopReason::Completed);
    after.finish(ema.averaged(model), &mut state, reason, run, observers)
}
