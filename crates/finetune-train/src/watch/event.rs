//! What happens in a run. The engine emits events and knows none of their observers.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use crate::{Accumulator, CustomMetrics, EarlyStop, Evaluation, LostBest, StopReason, TrainError};

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
        /// Optimizer steps of an epoch; with `batch_tokens` the rounded mean of the epochs.
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
    /// The run goes on from a checkpoint.
    Resumed {
        /// Steps done.
        step: u64,
        /// Optimizer steps of the run.
        total_steps: u64,
    },
    /// What frozen layers make of these rows is computed, to be kept.
    Caching {
        /// Number of rows.
        rows: u64,
    },
    /// Rows of it are done.
    CachingProgress {
        /// Rows done.
        rows: u64,
    },
    /// An optimizer step is done; for showing progress.
    Progress {
        /// Steps done, from 1.
        step: u64,
        /// Mean loss of the step's rows.
        loss: f64,
        /// Rows of the step.
        rows: u64,
        /// Time that the step took.
        seconds: f64,
    },
    /// What the log has of the optimizer steps since the last such event: one step where
    /// `logging_steps` is 1.
    Step {
        /// Steps done, from 1.
        step: u64,
        /// Epochs done, with the fraction of the current one.
        epoch: f64,
        /// Mean of the steps' losses.
        loss: f64,
        /// Learning rate of the last step.
        learning_rate: f64,
        /// That of the head, where it has its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        head_learning_rate: Option<f64>,
        /// Global gradient norm of the last step, before clipping.
        grad_norm: f64,
        /// Rows of the steps.
        rows: u64,
        /// Tokens of the steps.
        tokens: u64,
        /// Time that the steps took.
        seconds: f64,
    },
    /// More parameters are trained from here on (strategy `gradual`).
    Unfrozen {
        /// Steps done.
        step: u64,
        /// The lowest encoder layer that is trained now.
        lowest_layer: usize,
        /// Parameters that are trained now.
        trainable_parameters: u64,
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
        /// What they were computed from: every row's logits and targets. Not in JSON.
        #[serde(skip)]
        predictions: Arc<Accumulator>,
        /// Whether the model is the best so far.
        best: bool,
        /// Time that it took.
        seconds: f64,
    },
    /// A checkpoint is taken: its content is fixed, and is written while training goes on.
    Checkpoint {
        /// Steps done.
        step: u64,
        /// Whether it holds the best model so far.
        best: bool,
    },
    /// The run ends early: the metric got no better.
    StoppedEarly(EarlyStop),
    /// Something that a user should know and that belongs into no log.
    Note {
        /// The text.
        message: String,
    },
    /// Training is over.
    Finished {
        /// Steps done.
        step: u64,
        /// Mean loss of all steps.
        loss: f64,
        /// Why it is over.
        reason: StopReason,
        /// Step of the model that was kept.
        best_step: u64,
        /// The best model, if it was to be kept and could not be.
        #[serde(skip_serializing_if = "Option::is_none")]
        lost_best: Option<LostBest>,
        /// Time of all steps, without evaluations.
        seconds: f64,
    },
}

impl Event {
    /// Whether the event is only for showing progress, and belongs into no log.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Evaluating { .. }
                | Self::EvaluationProgress { .. }
                | Self::Resumed { .. }
                | Self::Caching { .. }
                | Self::CachingProgress { .. }
                | Self::Progress { .. }
                | Self::Note { .. }
        )
    }
}

/// Something that watches a run.
pub trait Observer {
    /// Called for each event, in order. An error stops the run.
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError>;

    /// A reason to end the run after the current step, as a run that is complete: it evaluates,
    /// keeps its best model, and cannot be resumed.
    fn stop(&self) -> Option<String> {
        None
    }

    /// Whether the run is to be left as soon as possible, to be resumed later. Asked after each
    /// step and each batch of an evaluation.
    fn interrupted(&self) -> bool {
        false
    }

    /// What this observer needs to go on after a checkpoint as if nothing had happened, under a
    /// name of its own: the length of a file, say. Called after the checkpoint's event; what was
    /// written until here must be on the disk when it returns.
    fn checkpoint(&mut self) -> Result<Option<(&'static str, Value)>, TrainError> {
        Ok(None)
    }
}

/// What the caller adds to a run: its observers, and metrics of its own for every evaluation.
#[derive(Default)]
pub struct Observers<'a> {
    observers: Vec<Box<dyn Observer + 'a>>,
    metrics: CustomMetrics,
}

impl<'a> Observers<'a> {
    /// Adds an observer.
    pub fn with(mut self, observer: impl Observer + 'a) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Adds an observer that hears of everything before the others.
    pub(crate) fn first(mut self, observer: impl Observer + 'a) -> Self {
        self.observers.insert(0, Box::new(observer));
        self
    }

    /// With these metrics in every evaluation of the run, where `metric_for_best_model` finds them
    /// too.
    pub fn measuring(self, metrics: CustomMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// The metrics of the caller's own.
    pub fn metrics(&self) -> &CustomMetrics {
        &self.metrics
    }

    /// Tells all observers.
    pub fn emit(&mut self, event: &Event) -> Result<(), TrainError> {
        self.observers
            .iter_mut()
            .try_for_each(|observer| observer.on_event(event))
    }

    /// The first reason of an observer to end the run.
    pub fn stop(&self) -> Option<String> {
        self.observers.iter().find_map(|observer| observer.stop())
    }

    /// Whether one of them wants the run to be left.
    pub fn interrupted(&self) -> bool {
        self.observers.iter().any(|observer| observer.interrupted())
    }

    /// What the observers need to go on from here, by name.
    pub fn checkpoint(&mut self) -> Result<BTreeMap<String, Value>, TrainError> {
        let mut states = BTreeMap::new();
        for observer in &mut self.observers {
            if let Some((name, state)) = observer.checkpoint()? {
                states.insert(name.to_string(), state);
            }
        }
        Ok(states)
    }
}
