//! What may follow an optimizer step: log, evaluation, checkpoint, the end.

use std::{sync::Arc, time::Instant};

use finetune_data::TokenizedDataset;
use finetune_metrics::Metric;
use finetune_models::SequenceClassifier;

use crate::{
    Accumulator, BestEvaluation, Checkpoints, Ema, Evaluation, Event, IntervalStrategy, Observers, Optimizer,
    Outcome, RunDirectory, Snapshot, Steps, StopReason, TrainError, TrainPlan, TrainState, evaluate,
};

pub(crate) struct AfterStep<'a> {
    pub plan: &'a TrainPlan,
    pub steps: &'a Steps,
    pub validation: &'a TokenizedDataset,
    pub checkpoints: Checkpoints,
    pub metric: Metric,
}

/// An evaluation of the validation rows, and how long it took.
struct Measured {
    metrics: Evaluation,
    predictions: Arc<Accumulator>,
    seconds: f64,
}

impl AfterStep<'_> {
    /// The evaluation of the untouched model.
    pub fn before_the_first(
        &self,
        model: &SequenceClassifier,
        state: &mut TrainState,
        observers: &mut Observers<'_>,
    ) -> Result<(), TrainError> {
        if !self.plan.eval_on_start {
            return Ok(());
        }
        let evaluation = self.measure(model, observers)?;
        state.before = Some(serde_json::to_value(&evaluation.metrics).unwrap_or_default());
        self.emit(evaluation, false, state, observers)?;
        Ok(())
    }

    /// What a checkpoint left to do: all that follows its step if it was interrupted there. A run
    /// that has ended ends at once.
    pub fn resumed(
        &mut self,
        model: &SequenceClassifier,
        optimizer: &Optimizer,
        ema: &Ema,
        state: &mut TrainState,
        observers: &mut Observers<'_>,
    ) -> Result<Option<StopReason>, TrainError> {
        match std::mem::take(&mut state.pending) {
            true => self.step(model, optimizer, ema, state, observers),
            false => Ok(state.ended.clone()),
        }
    }

    /// All that follows a step. A reason ends the run.
    pub fn step(
        &mut self,
        model: &SequenceClassifier,
        optimizer: &Optimizer,
        ema: &Ema,
        state: &mut TrainState,
        observers: &mut Observers<'_>,
    ) -> Result<Option<StopReason>, TrainError> {
        for note in self.checkpoints.poll()? {
            observers.emit(&Event::Note { message: note })?;
        }
        let snapshot = Snapshot {
            model,
            optimizer,
            ema,
        };
        match self.evaluate_and_save(&snapshot, state, observers) {
            Err(TrainError::Interrupted) => {
                // The step is done; what follows it is done by whoever goes on.
                state.pending = true;
                self.save(&snapshot, false, state, observers)?;
                Ok(Some(StopReason::Interrupted))
            }
            other => other,
        }
    }

    fn evaluate_and_save(
        &mut self,
        snapshot: &Snapshot<'_>,
        state: &mut TrainState,
        observers: &mut Observers<'_>,
    ) -> Result<Option<StopReason>, TrainError> {
        let plan = self.plan;
        if observers.interrupted() {
            return Err(TrainError::Interrupted);
        }
        let mut reason = match observers.stop() {
            _ if state.step >= self.steps.total => Some(StopReason::Completed),
            stop => stop.map(StopReason::Observer),
        };
        let mut moment = self.steps.moment(state.step, reason.is_some());
        let mut best = false;
        let evaluation = match plan.eval_strategy.is_due(plan.eval_steps, moment) {
            true => {
                let model = snapshot.ema.averaged(snapshot.model.clone());
                Some(self.measure(&model, observers)?)
            }
            false => None,
        };
        // Nothing below is interrupted, so that a step is logged once.
        if plan.logging_strategy.is_due(plan.logging_steps, moment) {
            observers.emit(&state.take_log(self.steps.epochs(state.step)))?;
        }
        if let Some(evaluation) = evaluation {
            let metrics = &evaluation.metrics;
            let better =
                BestEvaluation::better(state.best.as_ref(), self.metric, metrics, state.step);
            best = better.is_some();
            state.best = better.or(state.best.take());
            state.last_evaluation = Some(serde_json::to_value(metrics).unwrap_or_default());
            let value = metrics.get(self.metric).unwrap_or(f64::NAN);
            self.emit(evaluation, best, state, observers)?;
            let greater = self.metric.greater_is_better();
            let stop = state.early_stopping.should_stop(
                value,
                greater,
                plan.early_stopping_patience,
                plan.early_stopping_threshold,
            );
            if stop && reason.is_none() {
                reason = Some(StopReason::EarlyStopping);
                moment.last = true;
            }
        }
        state.ended.clone_from(&reason);
        let due = plan.save_strategy.is_due(plan.save_steps, moment);
        if due || (best && plan.load_best_model_at_end) {
            self.save(snapshot, best, state, observers)?;
        }
        Ok(reason)
    }

    fn save(
        &mut self,
        snapshot: &Snapshot<'_>,
        best: bool,
        state: &mut TrainState,
        observers: &mut Observers<'_>,
    ) -> Result<(), TrainError> {
        observers.emit(&Event::Checkpoint {
            step: state.step,
            best,
        })?;
        state.observers = observers.checkpoint()?;
        self.checkpoints.save(snapshot, state, best)
    }

    fn measure(
        &self,
        model: &SequenceClassifier,
        observers: &mut Observers<'_>,
    ) -> Result<Measured, TrainError> {
        let started = Instant::now();
        let size = self.plan.eval_batch_size;
        let all = evaluate(model, self.validation, "validation", size, observers)?;
        Ok(Measured {
            metrics: all.evaluation(),
            predictions: Arc::new(all),
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    fn emit(
        &self,
        measured: Measured,
        best: bool,
        state: &TrainState,
        observers: &mut Observers<'_>,
    ) -> Result<(), TrainError> {
        observers.emit(&Event::Evaluated {
            split: "validation",
            step: state.step,
            epoch: self.steps.epochs(state.step),
            metrics: measured.metrics,
            predictions: measured.predictions,
            best,
            seconds: measured.seconds,
        })
    }

    /// Ends the run: the result becomes `RUN/model`, unless there is more to come.
    pub fn finish(
        self,
        model: SequenceClassifier,
        state: &mut TrainState,
        reason: StopReason,
        run: &RunDirectory,
        observers: &mut Observers<'_>,
    ) -> Result<Outcome, TrainError> {
        let directory = self.checkpoints.directory().clone();
        let adapter = self.checkpoints.adapter().cloned();
        for note in self.checkpoints.finish()? {
            observers.emit(&Event::Note { message: note })?;
        }
        let kept = match (&state.best, self.plan.load_best_model_at_end) {
            (Some(best), true) => best.step,
            _ => state.step,
        };
        if reason != StopReason::Interrupted {
            let adopted = match kept == state.step {
                true => Ok(false),
                false => run.adopt(&directory.path_of(kept)).map(|()| true),
            };
            if let Err(error) = &adopted {
                let message = format!("the last model is kept, not the best: {error}");
                observers.emit(&Event::Note { message })?;
            }
            if !adopted.unwrap_or(false) {
                run.save_model(&model, adapter.as_ref())?;
            }
        }
        observers.emit(&Event::Finished {
            step: state.step,
            loss: state.all.mean_loss(),
            reason: reason.clone(),
            best_step: kept,
            seconds: state.all.seconds,
        })?;
        Ok(Outcome {
            steps: state.step,
            loss: state.all.mean_loss(),
            seconds: state.all.seconds,
            samples_per_second: state.all.samples_per_second(),
            reason,
            kept_step: kept,
            kept_epoch: self.steps.epochs(kept),
            before: state.before.take(),
            best: state.best.take(),
            last: state.last_evaluation.take(),
        })
    }
}
