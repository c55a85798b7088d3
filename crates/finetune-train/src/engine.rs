//! The training loop.

use std::time::Instant;

use finetune_infer::Workers;
use finetune_kernels::DropoutSource;

use crate::{
    AfterStep, Checkpoints, Event, FrozenPrefix, Learner, Observers, Outcome, RunDirectory,
    Schedule, Start, StepFacts, StepLoss, Steps, StopReason, TrainData, TrainError, TrainPlan,
    TrainState, Unfreezing, batches, clip_factor,
};

/// Trains by `plan` from `start`, and leaves the result in `run`, or a checkpoint if interrupted. The
/// same plan, data and weights give the same bits, in one session or in several.
pub(crate) fn train(
    plan: &TrainPlan,
    start: Start,
    data: &TrainData,
    run: &RunDirectory,
    observers: &mut Observers<'_>,
) -> Result<Outcome, TrainError> {
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
    let prefix = FrozenPrefix::fill(plan, &learner, data, &steps, run.path(), observers)?;
    let mut after = AfterStep::new(
        plan,
        &steps,
        data,
        &prefix,
        checkpoints,
        observers.metrics(),
    )?;
    let workers = Workers::of(&learner.model.device());
    let loss = plan.optimization.loss();

    let mut reason = after.start(&learner, &mut state, observers)?;
    let mut rows = steps.from(state.step)?;
    while reason.is_none()
        && let Some(rows) = rows.next()
    {
        let started = Instant::now();
        let step = state.step;
        if let Some(strategy) = unfreezing.begins_at(step) {
            learner = learner.training(plan, &strategy)?;
            observers.emit(&learner.unfrozen(step))?;
        }
        let step_loss = StepLoss::new(&loss, learner.frozen_layers(), prefix.train());
        let batches = batches(&data.train, &rows?)?;
        let dropout = |index| DropoutSource::at(plan.seed, steps.forward_pass(step, index));
        let backward = || step_loss.backward(&learner.model, &batches, dropout);
        let (loss, gradients) = workers.run(backward)?;
        let grad_norm = gradients.global_norm();
        let learning_rate = schedule.at(step);
        let facts = StepFacts {
            loss,
            learning_rate,
            grad_norm,
        };
        facts.check_finite(step, &batches, &data.train)?;
        let clip = clip_factor(grad_norm, plan.optimization.max_grad_norm);
        let momentum = schedule.momentum_at(step);
        learner = workers.run(|| learner.step(gradients, learning_rate, momentum, clip));
        observers.emit(&state.advance(facts, &batches, started))?;
        reason = after.step(&learner, &mut state, observers)?;
    }
    let reason = reason.unwrap_or(StopReason::Completed);
    after.finish(&learner, &mut state, reason, run, observers)
}

/// Returns the event that a run begins or is resumed.
fn started(
    start: &Start,
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
        padding_avoided: steps.sampler().padding(0)?.avoided(),
    })
}
