//! What happens in a run. The engine emits events and knows none of their observers.

use serde::Serialize;

use crate::{Evaluation, TrainError};

/// One thing that happened. As JSON: an object with `event` and the fields; times are in fields
/// whose names end in `seconds`, and everything else is the same whenever the plan is.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Training begins.
    Started {
        /// Version of this program.
        version: &'static str,
        /// Number of training rows.
        train_rows: u64,
        /// Number of validation rows.
        validation_rows: u64,
        /// Optimizer steps of an epoch.
        steps_per_epoch: u64,
        /// Optimizer steps of the run.
        total_steps: u64,
        /// Steps of warm-up.
        warmup_steps: u64,
        /// Parameters of the model.
        parameters: u64,
        /// Parameters that are trained.
        trainable_parameters: u64,
        /// Share of the first epoch's tokens that would have been padding.
        padding_avoided: f64,
    },
    /// An optimizer step is done.
    Step {
        /// Steps done, from 1.
        step: u64,
        /// Epochs done, with the fraction of the current one.
        epoch: f64,
        /// Mean loss of the batch.
        loss: f64,
        /// Learning rate of the step.
        learning_rate: f64,
        /// Global gradient norm before clipping.
        grad_norm: f64,
        /// Rows of the batch.
        rows: usize,
        /// Tokens of the batch.
        tokens: usize,
        /// Time that the step took.
        seconds: f64,
    },
    /// An evaluation begins.
    Evaluating {
        /// Name of the split.
        split: &'static str,
        /// Number of rows.
        rows: u64,
    },
    /// Rows of an evaluation are done.
    EvaluationProgress {
        /// Rows done.
        rows: u64,
    },
    /// An evaluation is done.
    Evaluated {
        /// Name of the split.
        split: &'static str,
        /// Steps done.
        step: u64,
        /// Epochs done.
        epoch: f64,
        /// The metrics.
        metrics: Evaluation,
        /// Whether the model is the best so far, and was therefore saved.
        best: bool,
        /// Time that it took.
        seconds: f64,
    },
    /// Training is over.
    Finished {
        /// Steps done.
        step: u64,
        /// Mean loss of all steps.
        loss: f64,
        /// Whether it was interrupted before its last step.
        interrupted: bool,
        /// Step of the model that was kept.
        best_step: u64,
        /// Time of all steps, without evaluations.
        seconds: f64,
    },
}

impl Event {
    /// Whether the event is only for showing progress, and belongs into no log.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Evaluating { .. } | Self::EvaluationProgress { .. }
        )
    }
}

/// Something that watches a run.
pub trait Observer {
    /// Called for each event, in order. An error stops the run.
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError>;
}

/// All observers of a run.
#[derive(Default)]
pub struct Observers<'a>(Vec<Box<dyn Observer + 'a>>);

impl<'a> Observers<'a> {
    /// Adds an observer.
    pub fn with(mut self, observer: impl Observer + 'a) -> Self {
        self.0.push(Box::new(observer));
        self
    }

    /// Tells all observers.
    pub fn emit(&mut self, event: &Event) -> Result<(), TrainError> {
        self.0
            .iter_mut()
            .try_for_each(|observer| observer.on_event(event))
    }
}
