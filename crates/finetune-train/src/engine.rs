//! The training loop.

use std::time::Instant;

use burn::module::Module;
use finetune_data::{BatchSize, PackedBatch, Sampler, SamplerOptions, TokenizedDataset};
use finetune_kernels::DropoutSource;

use crate::{
    AdamConfig, BatchLoss, BestEvaluation, BestModel, Event, Observers, Optimizer, OptimizerConfig,
    ParameterGradients, ParameterGroups, Prepared, RunDirectory, Schedule, ScheduleConfig,
    StopReason, TrainError, TrainPlan, clip_factor, evaluate,
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
    /// Steps done.
    pub steps: u64,
    /// Mean loss of all steps.
    pub loss: f64,
    /// Time of all steps, without evaluations.
    pub seconds: f64,
    /// Rows trained on per second of that time.
    pub samples_per_second: f64,
    /// Whether it was interrupted before its last step.
    pub interrupted: bool,
    /// The best evaluation, whose model is in the run directory; `None` if the run was interrupted
    /// before its first, and the model is as it was then.
    pub best: Option<BestEvaluation>,
}

/// Trains a prepared model by `plan` and leaves the best model in `run`. `interrupted` is asked after each
/// step; a yes ends the run with what it has.
pub fn train(
    plan: &TrainPlan,
    prepared: Prepared,
    data: &TrainData,
    run: &mut RunDirectory,
    observers: &mut Observers<'_>,
    interrupted: &dyn Fn() -> bool,
) -> Result<Outcome, TrainError> {
    let sampler = sampler(plan, &data.train)?;
    let per_epoch = sampler.num_batches(0)?;
    let total = plan.total_steps(per_epoch);
    let warmup_steps = (total as f64 * plan.warmup_ratio).ceil() as u64;
    let schedule = Schedule::new(
        &ScheduleConfig::default(),
        plan.learning_rate,
        warmup_steps,
        total,
    )?;
    let counts = (prepared.trainable, prepared.all);
    let adapter = prepared.adapter;
    let mut model = prepared.model.train();
    let batch_loss = BatchLoss::new(plan, &model);
    let mut optimizer = Optimizer::new(
        OptimizerConfig::AdamW(AdamConfig {
            adam_beta1: plan.optimizer.beta_1,
            adam_beta2: plan.optimizer.beta_2,
            adam_epsilon: plan.optimizer.epsilon,
        }),
        ParameterGroups::new(plan.optimizer.weight_decay, model.layers.len()),
    );
    let mut best = BestModel::new(plan.metric()?);
    let mut progress = Progress::default();
    observers.emit(&started(
        counts, data, &sampler, per_epoch, total, &schedule,
    )?)?;

    for epoch in 0.. {
        for (index, rows) in sampler.epoch(epoch)?.enumerate() {
            let started = Instant::now();
            let batch = data.train.batch(&rows?)?;
            let step = progress.steps;
            let dropout = DropoutSource::at(plan.seed, step as u32);
            let loss = batch_loss.of(&model, &batch, dropout)?;
            let gradients = ParameterGradients::backward(&loss, &model);
            let norm = gradients.global_norm();
            let rate = schedule.at(step);
            let loss = finite(loss.into_scalar(), norm, rate, step, &batch, &data.train)?;
            model = optimizer.step(
                model,
                gradients,
                rate,
                None,
                clip_factor(norm, plan.max_grad_norm),
            );
            progress.add(loss, &batch, started);
            observers.emit(&Event::Step {
                step: progress.steps,
                epoch: epoch as f64 + (index + 1) as f64 / per_epoch as f64,
                loss,
                learning_rate: rate,
                grad_norm: norm,
                rows: batch.batch_size() as u64,
                tokens: batch.num_tokens() as u64,
                seconds: started.elapsed().as_secs_f64(),
            })?;
            if progress.steps == total || interrupted() {
                break;
            }
        }
        if progress.steps < total && interrupted() {
            break;
        }
        let started = Instant::now();
        let metrics = evaluate(
            &model,
            &data.validation,
            "validation",
            plan.eval_batch_size,
            observers,
        )?;
        let metrics = metrics.evaluation();
        let improved = best.improves(&metrics, progress.steps);
        if improved {
            run.save_model(&model, adapter.as_ref())?;
        }
        observers.emit(&Event::Evaluated {
            split: "validation",
            step: progress.steps,
            epoch: progress.steps as f64 / per_epoch as f64,
            metrics,
            best: improved,
            seconds: started.elapsed().as_secs_f64(),
        })?;
        if progress.steps == total {
            break;
        }
    }
    if best.get().is_none() {
        run.save_model(&model, adapter.as_ref())?;
    }
    let outcome = progress.outcome(total, best.get());
    observers.emit(&Event::Finished {
        step: outcome.steps,
        loss: outcome.loss,
        reason: match outcome.interrupted {
            true => StopReason::Interrupted,
            false => StopReason::Completed,
        },
        best_step: outcome
            .best
            .as_ref()
            .map_or(outcome.steps, |best| best.step),
        seconds: outcome.seconds,
    })?;
    Ok(outcome)
}

/// The batches of the training rows.
fn sampler(plan: &TrainPlan, data: &TokenizedDataset) -> Result<Sampler, TrainError> {
    let options = SamplerOptions {
        batch: BatchSize::Rows(plan.batch_size),
        seed: plan.seed,
        shuffle: true,
        length_buckets: (plan.length_buckets > 0).then_some(plan.length_buckets),
    };
    Ok(Sampler::new(data, options)?)
}

fn started(
    (trainable_parameters, parameters): (u64, u64),
    data: &TrainData,
    sampler: &Sampler,
    steps_per_epoch: u64,
    total_steps: u64,
    schedule: &Schedule,
) -> Result<Event, TrainError> {
    Ok(Event::Started {
        version: env!("CARGO_PKG_VERSION"),
        train_rows: data.train.len(),
        validation_rows: data.validation.len(),
        steps_per_epoch,
        total_steps,
        warmup_steps: schedule.warmup_steps(),
        parameters,
        trainable_parameters,
        padding_avoided: sampler.padding(0)?.avoided(),
    })
}

/// The loss as a number, or an error that names the batch's rows.
fn finite(
    loss: f32,
    gradient_norm: f64,
    learning_rate: f64,
    step: u64,
    batch: &PackedBatch,
    data: &TokenizedDataset,
) -> Result<f64, TrainError> {
    if loss.is_finite() && gradient_norm.is_finite() {
        return Ok(f64::from(loss));
    }
    let places = batch.rows.iter().map(|&row| data.source(row));
    let places = places
        .map(|place| place.map(|place| place.to_string()))
        .collect::<Result<Vec<_>, _>>()?;
    Err(TrainError::NotFinite {
        step: step + 1,
        loss: f64::from(loss),
        gradient_norm,
        learning_rate,
        rows: places.join("; "),
    })
}

/// Running sums of a run.
#[derive(Default)]
struct Progress {
    steps: u64,
    loss: f64,
    rows: u64,
    seconds: f64,
}

impl Progress {
    fn add(&mut self, loss: f64, batch: &PackedBatch, started: Instant) {
        self.steps += 1;
        self.loss += loss;
        self.rows += batch.batch_size() as u64;
        self.seconds += started.elapsed().as_secs_f64();
    }

    fn outcome(&self, total: u64, best: Option<&BestEvaluation>) -> Outcome {
        Outcome {
            steps: self.steps,
            loss: self.loss / self.steps.max(1) as f64,
            seconds: self.seconds,
            samples_per_second: self.rows as f64 / self.seconds.max(f64::MIN_POSITIVE),
            interrupted: self.steps < total,
            best: best.cloned(),
        }
    }
}
