//! What a run learns: the only part of the engine that differs between kinds of training.

pub(crate) mod contrastive;
pub(crate) mod distilled;
pub(crate) mod masked;
pub(crate) mod supervised;

use std::path::Path;

use finetune_data::PackedBatch;
use finetune_kernels::DropoutSource;

use crate::{
    Accumulator, BatchLosses, HeldOut, Learner, Observers, ParameterGradients, RunInputs, Steps,
    TrainError, TrainPlan, TrainedModel,
};

/// A kind of training: which model learns, what its loss is, and how it is evaluated. The loop, its
/// checkpoints and events are the same for all.
pub(crate) trait Learning: Sized + Sync {
    /// The model that learns.
    type Model: TrainedModel;

    /// Prepares a session of a run. Work that takes long reports to the observers.
    ///
    /// # Errors
    /// Fails if a file cannot be read or written, or an observer fails or interrupts the run.
    fn begin(
        plan: &TrainPlan,
        learner: &Learner<Self::Model>,
        inputs: &RunInputs,
        steps: &Steps,
        run: &Path,
        observers: &mut Observers<'_>,
    ) -> Result<Self, TrainError>;

    /// Computes the losses of the batches of a step in this epoch, and their gradients, which do not
    /// depend on how the rows are split into batches. `dropout` gives the source for each batch by its
    /// index.
    ///
    /// # Errors
    /// Fails if a batch does not fit the model.
    fn backward(
        &self,
        learner: &Learner<Self::Model>,
        batches: &[PackedBatch],
        epoch: u64,
        dropout: impl Fn(usize) -> DropoutSource,
    ) -> Result<(BatchLosses, ParameterGradients), TrainError>;

    /// Completes a model that is about to be evaluated or saved, with whatever the steps do not train.
    ///
    /// # Errors
    /// Fails if the training rows cannot be read or do not fit the model.
    fn completed(&self, learner: Learner<Self::Model>) -> Result<Learner<Self::Model>, TrainError> {
        Ok(learner)
    }

    /// Evaluates a model on rows that are held out.
    ///
    /// # Errors
    /// Fails if the rows cannot be read, or with [`TrainError::Interrupted`].
    fn evaluate(
        &self,
        model: &Self::Model,
        held_out: HeldOut<'_>,
        observers: &mut Observers<'_>,
    ) -> Result<Accumulator, TrainError>;

    /// Returns the evaluation of the teacher on rows that are held out, if there is a teacher.
    ///
    /// # Errors
    /// Fails if its logits or the labels cannot be read.
    fn teacher(&self, _held_out: HeldOut<'_>) -> Result<Option<Accumulator>, TrainError> {
        Ok(None)
    }

    /// Returns how far a model agrees with its teacher, if there is one, on rows that are held out, of which
    /// `student` has its predictions.
    ///
    /// # Errors
    /// Fails if the teacher's logits cannot be read.
    fn agreement(
        &self,
        _held_out: HeldOut<'_>,
        _student: &Accumulator,
    ) -> Result<Option<f64>, TrainError> {
        Ok(None)
    }
}
