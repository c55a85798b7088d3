//! The work that may follow an optimizer step: logging, evaluation, checkpoint, the end of the run.

use std::{sync::Arc, time::Instant};

use finetune_data::TokenizedDataset;
use finetune_kernels::time_in_matmul;

use crate::{
    Accumulator, BestEvaluation, Checkpoints, ChosenMetric, CustomMetrics, Evaluation, Event,
    HeldOut, KeptModel, Learner, Learning, Moment, Observers, Outcome, RunDirectory, StepFacts,
    Steps, StopReason, TrainError, TrainPlan, TrainState,
};

/// Performs the work that follows a step.
pub(crate) struct AfterStep<'a, L> {
    plan: &'a TrainPlan,
    steps: &'a Steps,
    learning: &'a L,
    validation: HeldOut<'a>,
    checkpoints: Checkpoints,
    metric: ChosenMetric,
    /// The predictions of the best and of the last evaluation of this session, with their steps.
    best: Option<(u64, Arc<Accumulator>)>,
    last: Option<(u64, Arc<Accumulator>)>,
}

/// An evaluation of the validation rows with its duration.
struct Measured {
    metrics: Evaluation,
    predictions: Arc<Accumulator>,
    seconds: f64,
}

impl<'a, L: Learning> AfterStep<'a, L> {
    /// Prepares the work that follows the steps of a session.
    ///
    /// # Errors
    /// Fails if the plan's metric does not exist.
    pub fn new(
        plan: &'a TrainPlan,
        steps: &'a Steps,
        learning: &'a L,
        validation: HeldOut<'a>,
        checkpoints: Checkpoints,
        metrics: &CustomMetrics,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            plan,
            steps,
            learning,
            validation,
            checkpoints,
            metric: plan.metric(metrics)?,
            best: None,
            last: None,
        })
    }

    /// Does the work before the first step of a session: evaluates the untrained model, or does what
    /// was pending at the checkpoint. Returns a reason if the run has already ended or is to pause here.
    ///
    /// # Errors
    /// Fails if an evaluation, a checkpoint or an observer fails.
    pub fn start(
        &mut self,
        learner: &Learner<L::Model>,
        state: &mut TrainState,
        observers: &mut Observers<'_>,
    ) -> Result<Option<StopReason>, TrainError> {
        if std::mem::take(&mut state.pending) {
            return self.step(learner, state, observers);
        }
        if *state == TrainState::new() && self.plan.evaluation.eval_on_start {
            let evaluation = self.evaluate(learner, observers)?;
            state.before = Some(evaluation.metrics.record());
            self.emit(evaluation, false, state, observers)?;
        }
        let paused = state.ended.is_none() && self.pauses(state, observers);
        Ok(state.ended.clone().or(paused.then_some(StopReason::Paused)))
    }

    /// Counts steps whose figures have been read, and logs all but the last, whose entry
    /// [`step`](Self::step) writes.
    ///
    /// # Errors
    /// Fails if a figure is not finite, or an observer fails.
    pub fn count(
        &self,
        read: &[StepFacts],
        rows: &TokenizedDataset,
        state: &mut TrainState,
        observers: &mut Observers<'_>,
    ) -> Result<(), TrainError> {
        for (index, facts) in read.iter().enumerate() {
            if index > 0 {
                self.log(self.steps.moment(state.step, false), state, observers)?;
            }
            facts.check_finite(state.step, rows)?;
            observers.emit(&state.advance(facts, self.plan))?;
        }
        Ok(())
    }

    /// Returns whether an evaluation, a checkpoint, a pause or the end of the run follows when `step` steps are done.
    pub fn is_due(&self, step: u64, observers: &Observers<'_>) -> bool {
        let last = step >= self.steps.total || observers.stop().is_some();
        let moment = self.steps.moment(step, last);
        last || self.plan.evaluation.eval.is_due(moment)
            || self.plan.saving.save.is_due(moment)
            || observers.pauses(step, self.steps.epochs(step))
    }

    fn pauses(&self, state: &TrainState, observers: &Observers<'_>) -> bool {
        observers.pauses(state.step, self.steps.epochs(state.step))
    }

    /// Does the work that follows a step, and returns a reason if the run ends.
    ///
    /// # Errors
    /// Fails if an evaluation, a checkpoint or an observer fails.
    pub fn step(
        &mut self,
        learner: &Learner<L::Model>,
        state: &mut TrainState,
        observers: &mut Observers<'_>,
    ) -> Result<Option<StopReason>, TrainError> {
        for message in self.checkpoints.poll()? {
            observers.emit(&Event::Note { message })?;
        }
        match self.evaluate_and_save(learner, state, observers) {
            Err(TrainError::Interrupted) => {
                // The step is done; the next session does the work that follows it.
                state.pending = true;
                self.save_quietly(learner, false, state, observers)?;
                Ok(Some(StopReason::Interrupted))
            }
            other => other,
        }
    }

    fn evaluate_and_save(
        &mut self,
        learner: &Learner<L::Model>,
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
        let evaluation = match plan.evaluation.eval.is_due(moment) {
            true => Some(self.evaluate(learner, observers)?),
            false => None,
        };
        // Nothing below can be interrupted, so each step is logged exactly once.
        self.log(moment, state, observers)?;
        if let Some(evaluation) = evaluation {
            let metrics = &evaluation.metrics;
            let better =
                BestEvaluation::better(state.best.as_ref(), &self.metric, metrics, state.step);
            best = better.is_some();
            state.best = better.or(state.best.take());
            state.last_evaluation = Some(metrics.record());
            self.last = Some((state.step, Arc::clone(&evaluation.predictions)));
            if best {
                self.best.clone_from(&self.last);
            }
            let value = metrics.get(self.metric.name()).unwrap_or(f64::NAN);
            self.emit(evaluation, best, state, observers)?;
            if value.is_nan() {
                state.undefined_evaluations += 1;
                let message = format!(
                    "{} has no value in this evaluation (step {}; {} so far), so it cannot be the best",
                    self.metric.name(),
                    state.step,
                    state.undefined_evaluations
                );
                observers.emit(&Event::Note { message })?;
            }
            let greater = self.metric.greater_is_better();
            let stop = state.early_stopping.should_stop(
                value,
                greater,
                plan.evaluation.early_stopping_patience,
                plan.evaluation.early_stopping_threshold,
            );
            if stop && reason.is_none() {
                reason = Some(StopReason::EarlyStopping);
                moment.last = true;
            }
        }
        state.ended.clone_from(&reason);
        if let Some(stop) = state.early_stop(plan) {
            observers.emit(&Event::StoppedEarly(stop))?;
        }
        let due = plan.saving.save.is_due(moment);
        let is_kept = best && plan.evaluation.load_best_model_at_end;
        if due || is_kept {
            observers.emit(&Event::Checkpoint {
                step: state.step,
                best,
            })?;
            self.save_quietly(learner, best, state, observers)?;
        }
        if reason.is_none() && self.pauses(state, observers) {
            if !due && !is_kept {
                self.save_quietly(learner, false, state, observers)?;
            }
            return Ok(Some(StopReason::Paused));
        }
        Ok(reason)
    }

    /// Writes the log entry of the steps since the last one, if it is due.
    fn log(
        &self,
        moment: Moment,
        state: &mut TrainState,
        observers: &mut Observers<'_>,
    ) -> Result<(), TrainError> {
        match self.plan.saving.logging.is_due(moment) {
            true => observers.emit(&state.take_log(self.steps.epochs(state.step), self.plan)),
            false => Ok(()),
        }
    }

    /// Saves a checkpoint without an event: the log of a run does not tell where it was left.
    fn save_quietly(
        &mut self,
        learner: &Learner<L::Model>,
        best: bool,
        state: &mut TrainState,
        observers: &mut Observers<'_>,
    ) -> Result<(), TrainError> {
        state.observers = observers.checkpoint()?;
        self.checkpoints.save(learner, state, best)
    }

    fn evaluate(
        &self,
        learner: &Learner<L::Model>,
        observers: &mut Observers<'_>,
    ) -> Result<Measured, TrainError> {
        let started = Instant::now();
        let (learning, rows) = (self.learning, self.validation);
        let all = learning.evaluate(&learner.result(), rows, observers)?;
        let metrics = all.evaluation_with(observers.metrics());
        let metrics = metrics.with_agreement(learning.agreement(rows, &all)?);
        Ok(Measured {
            metrics,
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

    /// Ends the session: unless the run goes on in another, the result becomes `RUN/model`. The outcome comes with
    /// the kept model's predictions for the validation rows, if they were made in this session.
    ///
    /// # Errors
    /// Fails if a checkpoint, the kept model or an observer fails.
    pub fn finish(
        self,
        learner: &Learner<L::Model>,
        state: &mut TrainState,
        reason: StopReason,
        run: &RunDirectory,
        observers: &mut Observers<'_>,
    ) -> Result<(Outcome, Option<Arc<Accumulator>>), TrainError> {
        let directory = self.checkpoints.directory().clone();
        let adapter = self.checkpoints.adapter().cloned();
        let (notes, saving) = self.checkpoints.finish()?;
        for message in notes {
            observers.emit(&Event::Note { message })?;
        }
        let unmeasured = state.best.is_none() && state.undefined_evaluations > 0;
        if unmeasured && !reason.is_resumable() {
            let message = format!(
                "{} had no value in any of the {} evaluations, so there is no best model; the last one is kept",
                self.metric.name(),
                state.undefined_evaluations
            );
            observers.emit(&Event::Note { message })?;
        }
        let mut kept = KeptModel::intended(state, self.plan.evaluation.load_best_model_at_end);
        if !reason.is_resumable() {
            kept = kept.save(&directory, learner, adapter.as_ref(), state, run, observers)?;
        }
        observers.emit(&Event::Finished {
            step: state.step,
            loss: state.all.mean_loss(),
            reason: reason.clone(),
            best_step: kept.step,
            lost_best: kept.lost_best.clone(),
            seconds: state.all.seconds,
        })?;
        let evaluations = [self.best, self.last].into_iter().flatten();
        let mut of_kept = evaluations.filter(|(step, _)| *step == kept.step);
        let predictions = of_kept.next().map(|(_, predictions)| predictions);
        let outcome = Outcome {
            steps: state.step,
            loss: state.all.mean_loss(),
            seconds: state.all.seconds,
            product_seconds: time_in_matmul().as_secs_f64(),
            samples_per_second: state.all.samples_per_second(self.plan),
            reason,
            early_stop: state.early_stop(self.plan),
            kept_step: kept.step,
            kept_epoch: self.steps.epochs(kept.step),
            kept_evaluation: kept.evaluation,
            lost_best: kept.lost_best,
            saving,
            before: state.before.take(),
            best: state.best.take(),
            last: state.last_evaluation.take(),
        };
        Ok((outcome, predictions))
    }
}
