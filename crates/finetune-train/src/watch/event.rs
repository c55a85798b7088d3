//! Events of a run. The engine emits them without knowing their observers.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use crate::{
    Accumulator, CustomMetrics, EarlyStop, Evaluation, LostBest, PausePoint, StopReason, TrainError,
};

/// Something that happened in a run. As JSON it is an object with `event` and the fields. Times are in
/// fields whose names end in `seconds`; everything else depends only on the plan.
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
        /// Optimizer steps per epoch; with `batch_tokens` the rounded mean over the epochs.
        steps_per_epoch: u64,
        /// Optimizer steps in the run.
        total_steps: u64,
        /// Warm-up steps.
        warmup_steps: u64,
        /// Number of parameters in the model.
        parameters: u64,
        /// Number of trained parameters.
        trainable_parameters: u64,
        /// Pairs of rows per epoch, if the model learns from pairs.
        #[serde(skip_serializing_if = "Option::is_none")]
        pairs_per_epoch: Option<u64>,
        /// Fraction of the first epoch's tokens that padded batches would have added; not computed for
        /// pairs.
        #[serde(skip_serializing_if = "Option::is_none")]
        padding_avoided: Option<f64>,
    },
    /// The run is resumed from a checkpoint.
    Resumed {
        /// Steps done.
        step: u64,
        /// Optimizer steps in the run.
        total_steps: u64,
    },
    /// The features of frozen layers are being computed for these rows.
    Caching {
        /// Number of rows.
        rows: u64,
    },
    /// The features of some rows have been computed.
    CachingProgress {
        /// Rows done.
        rows: u64,
    },
    /// The teacher's logits are being computed for these rows; [`EvaluationProgress`](Self::EvaluationProgress)
    /// follows.
    Teaching {
        /// Name of the split.
        split: &'static str,
        /// Number of rows.
        rows: u64,
    },
    /// An optimizer step is done; meant for progress displays.
    Progress {
        /// Steps done, from 1.
        step: u64,
        /// Mean loss of the step's rows.
        loss: f64,
        /// Rows of the step; both of each pair, if the model learns from pairs.
        rows: u64,
        /// Pairs of the step, if the model learns from pairs.
        #[serde(skip_serializing_if = "Option::is_none")]
        pairs: Option<u64>,
        /// Time that the step took.
        seconds: f64,
    },
    /// A log entry for the optimizer steps since the last one: a single step if `logging_steps` is 1.
    Step {
        /// Steps done, from 1.
        step: u64,
        /// Epochs done, with the fraction of the current one.
        epoch: f64,
        /// Mean of the steps' losses.
        loss: f64,
        /// Learning rate of the last step.
        learning_rate: f64,
        /// Learning rate of the head, if it has its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        head_learning_rate: Option<f64>,
        /// Global gradient norm of the last step, before clipping.
        grad_norm: f64,
        /// Rows of the steps; both of each pair, if the model learns from pairs.
        rows: u64,
        /// Pairs of the steps, if the model learns from pairs.
        #[serde(skip_serializing_if = "Option::is_none")]
        pairs: Option<u64>,
        /// Tokens of the steps.
        tokens: u64,
        /// Time that the steps took.
        seconds: f64,
    },
    /// More parameters are trained from now on (strategy `gradual`).
    Unfrozen {
        /// Steps done.
        step: u64,
        /// The lowest trained encoder layer.
        lowest_layer: usize,
        /// Number of trained parameters.
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
        /// Every row's logits and targets, from which they were computed. Not part of the JSON.
        #[serde(skip)]
        predictions: Arc<Accumulator>,
        /// Whether the model is the best so far.
        best: bool,
        /// Duration of the evaluation.
        seconds: f64,
    },
    /// A checkpoint has been taken: its content is fixed, and is written while training continues.
    Checkpoint {
        /// Steps done.
        step: u64,
        /// Whether it holds the best model so far.
        best: bool,
    },
    /// The run stops early, because the metric no longer improves.
    StoppedEarly(EarlyStop),
    /// A message for the user that is not logged.
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
        /// The reason.
        reason: StopReason,
        /// Optimizer steps done by the kept model.
        best_step: u64,
        /// The best model, if it should have been kept but could not be.
        #[serde(skip_serializing_if = "Option::is_none")]
        lost_best: Option<LostBest>,
        /// Time of all steps, without evaluations.
        seconds: f64,
    },
}

impl Event {
    /// Returns whether the event is only for progress displays, and is not logged.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Evaluating { .. }
                | Self::EvaluationProgress { .. }
                | Self::Resumed { .. }
                | Self::Caching { .. }
                | Self::CachingProgress { .. }
                | Self::Teaching { .. }
                | Self::Progress { .. }
                | Self::Note { .. }
        )
    }
}

/// An observer of a run.
pub trait Observer {
    /// Handles an event; events arrive in order.
    ///
    /// # Errors
    /// An error stops the run.
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError>;

    /// Returns a reason to end the run after the current step, if there is one. Such a run is complete:
    /// it is evaluated, keeps its best model, and cannot be resumed.
    fn stop(&self) -> Option<String> {
        None
    }

    /// Returns whether to interrupt the run as soon as possible, to be resumed later. Called after each
    /// step and each batch of an evaluation.
    fn interrupted(&self) -> bool {
        false
    }

    /// Returns the state, with a unique name, that this observer needs to continue from a checkpoint as
    /// if nothing had happened, such as the length of a file. Called after the checkpoint's event;
    /// everything written so far must be on disk when it returns.
    ///
    /// # Errors
    /// An error stops the run.
    fn checkpoint(&mut self) -> Result<Option<(&'static str, Value)>, TrainError> {
        Ok(None)
    }
}

/// The caller's additions to a run: observers, custom metrics for every evaluation, and where to pause.
#[derive(Default)]
pub struct Observers<'a> {
    observers: Vec<Box<dyn Observer + 'a>>,
    metrics: CustomMetrics,
    pause: Option<PausePoint>,
}

impl<'a> Observers<'a> {
    /// Adds an observer.
    pub fn with(mut self, observer: impl Observer + 'a) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Adds an observer that receives every event before the others.
    pub(crate) fn first(mut self, observer: impl Observer + 'a) -> Self {
        self.observers.insert(0, Box::new(observer));
        self
    }

    /// Adds these metrics to every evaluation of the run; `metric_for_best_model` can name them too.
    pub fn measuring(self, metrics: CustomMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// Pauses the run at this point, once what follows its step is done: evaluation, log and checkpoint. A
    /// checkpoint is saved if none is due. A run that ends there is complete.
    pub fn pausing(self, pause: Option<PausePoint>) -> Self {
        Self { pause, ..self }
    }

    /// Returns whether a run that has done `step` steps, which are `epochs` epochs, pauses now.
    pub(crate) fn pauses(&self, step: u64, epochs: f64) -> bool {
        self.pause
            .is_some_and(|point| point.is_reached(step, epochs))
    }

    /// Returns the custom metrics.
    pub fn metrics(&self) -> &CustomMetrics {
        &self.metrics
    }

    /// Passes an event to all observers.
    ///
    /// # Errors
    /// Fails with the first error of an observer.
    pub fn emit(&mut self, event: &Event) -> Result<(), TrainError> {
        self.observers
            .iter_mut()
            .try_for_each(|observer| observer.on_event(event))
    }

    /// Returns the first reason of an observer to end the run.
    pub fn stop(&self) -> Option<String> {
        self.observers.iter().find_map(|observer| observer.stop())
    }

    /// Returns whether an observer wants to interrupt the run.
    pub fn interrupted(&self) -> bool {
        self.observers.iter().any(|observer| observer.interrupted())
    }

    /// Returns the states of the observers by name.
    ///
    /// # Errors
    /// Fails with the first error of an observer.
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
