//! What a run learns: the only part of the engine that differs between kinds of training.

pub(crate) mod contrastive;
pub(crate) mod masked;
pub(crate) mod supervised;

use std::path::Path;

use burn::tensor::Device;
use finetune_data::PackedBatch;
use finetune_kernels::DropoutSource;

use crate::{
    Accumulator, Learner, Observers, ParameterGradients, RunInputs, Steps, TrainError, TrainPlan,
    TrainedModel,
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

    /// Computes the mean loss of the batches of a step in this epoch, and its gradients, which do not
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
    ) -> Result<(f64, ParameterGradients), TrainError>;

    /// Completes a model that is about to be evaluated or saved, with whatever the steps do not train.
    ///
    /// # Errors
    /// Fails if the training rows cannot be read or do not fit the model.
    fn completed(&self, learner: Learner<Self::Model>) -> Result<Learner<Self::Model>, TrainError> {
        Ok(learner)
    }

    /// Evaluates a model on the validation rows.
    ///
    /// # Errors
    /// Fails if the rows cannot be read, or with [`TrainError::Interrupted`].
    fn evaluate(
        &self,
        model: &Self::Model,
        observers: &mut Observers<'_>,
    ) -> Result<Accumulator, TrainError>;

    /// Evaluates the model that a run has kept in the directory `kept` on the test rows, if there are
    /// any.
    ///
    /// # Errors
    /// Fails like [`evaluate`](Self::evaluate), or if the model cannot be loaded.
    fn test(
        plan: &TrainPlan,
        inputs: &RunInputs,
        kept: &Path,
        device: &Device,
        observers: &mut Observers<'_>,
    ) -> Result<Option<Accumulator>, TrainError>;
}
