//! The training loop.

use std::{sync::Arc, time::Instant};

use finetune_infer::Workers;
use finetune_kernels::DropoutSource;

use crate::{
    Accumulator, AfterStep, Checkpoints, Clipping, Event, HeldOut, Learner, Learning, Observers,
    Outcome, RunDirectory, RunInputs, Schedule, Start, Steps, StopReason, TrainData, TrainError,
    TrainPlan, TrainState, TrainedModel, Unfreezing, Unread, batches,
};

/// What a session of the loop leaves.
pub(crate) struct Trained<L> {
    pub outcome: Outcome,
    /// What was learned.
    pub learning: L,
    /// The kept model's predictions for the validation rows, if they were made in this session.
    pub predictions: Option<Arc<Accumulator>>,
}

/// Trains by `plan` from `start`, and leaves the result in `run`, or a checkpoint if interrupted. The
/// same plan, data and weights give the same bits, in one session or in several. `L` is what is learned;
/// everything else is the same for all kinds of training.
pub(crate) fn train<L: Learning>(
    plan: &TrainPlan,
    start: Start<L::Model>,
    inputs: &RunInputs,
    run: &RunDirectory,
    observers: &mut Observers<'_>,
) -> Result<Trained<L>, TrainError> {
    let data = &inputs.data;
    let steps = Steps::new(plan, &data.train)?;
    let schedule = steps.schedule(plan)?;
    let begun = started(&start, data, &steps, &schedule)?;
    let Start {
        prepared,
        mut state,
        optimizer,
        ema,
        ..
    } = start;
    let unfreezing = Unfreezing::new(plan, steps.per_epoch(), prepared.model.config());
    let strategy = unfreezing.in_force(state.step.saturating_sub(1));
    let mut learner = Learner::new(plan, prepared.model, strategy, optimizer, ema)?;
    let checkpoints = Checkpoints::open(plan, run, prepared.adapter, &state)?;
    observers.emit(&begun)?;
    let learning = L::begin(plan, &learner, inputs, &steps, run.path(), observers)?;
    let validation = HeldOut::Validation(&data.validation);
    let metrics = observers.metrics();
    let mut after = AfterStep::new(plan, &steps, &learning, validation, checkpoints, metrics)?;
    let workers = Workers::of(&learner.model.device());
    let mut unread = Unread::new(workers);

    learner = learning.completed(learner)?;
    let mut reason = after.start(&learner, &mut state, observers)?;
    let mut rows = steps.from(state.step)?;
    while reason.is_none()
        && let Some(rows) = rows.next()
    {
        let started = Instant::now();
        let step = state.step + unread.count();
        if let Some(strategy) = unfreezing.begins_at(step) {
            learner = learner.training(plan, &strategy)?;
            observers.emit(&learner.unfrozen(step))?;
        }
        let batches = batches(&data.train, &rows?)?;
        let dropout = |index| DropoutSource::at(plan.seed, steps.forward_pass(step, index));
        let epoch = steps.epoch(step);
        let backward = || learning.backward(&learner, &batches, epoch, dropout);
        let (losses, gradients) = workers.run(backward)?;
        let Clipping { norm, factor } = gradients.clipping(plan.optimization.max_grad_norm);
        let learning_rate = schedule.at(step);
        let momentum = schedule.momentum_at(step);
        learner = workers.run(|| learner.step(gradients, learning_rate, momentum, factor));
        unread.push(losses, norm, learning_rate, &batches, started);
        let unfreezes = unfreezing.begins_at(step + 1).is_some();
        if unread.is_due() || unfreezes || after.is_due(step + 1, observers) {
            after.count(&unread.read(), &data.train, &mut state, observers)?;
            if after.is_due(state.step, observers) {
                learner = learning.completed(learner)?;
            }
            reason = after.step(&learner, &mut state, observers)?;
        }
    }
    let reason = reason.unwrap_or(StopReason::Completed);
    let (outcome, predictions) = after.finish(&learner, &mut state, reason, run, observers)?;
    Ok(Trained {
        outcome,
        learning,
        predictions,
    })
}

/// Returns the event that a run begins or is resumed.
fn started<M>(
    start: &Start<M>,
    data: &TrainData,
    steps: &Steps,
    schedule: &Schedule,
) -> Result<Event, TrainError> {
    if start.state != TrainState::new() {
        return Ok(Event::Resumed {
            step: start.state.step,
            total_steps: steps.total,
        });
    }
    Ok(Event::Started {
        version: env!("CARGO_PKG_VERSION"),
        train_rows: data.train.len(),
        validation_rows: data.validation.len(),
        steps_per_epoch: steps.per_epoch().round() as u64,
        total_steps: steps.total,
        warmup_steps: schedule.warmup_steps(),
        parameters: start.prepared.all,
        trainable_parameters: start.prepared.trainable,
        pairs_per_epoch: steps.pairs_per_epoch(),
        padding_avoided: steps.padding_avoided()?,
    })
}
