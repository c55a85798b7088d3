//! Learning from pairs of texts.

use std::path::Path;

use finetune_data::{PackedBatch, TokenizedDataset};
use finetune_kernels::DropoutSource;
use finetune_models::SequenceClassifier;

use crate::{
    Accumulator, BatchLosses, HeldOut, Learner, Learning, Observers, ParameterGradients, RunInputs,
    Steps, TrainError, TrainPlan, evaluate, pair_loss, step::contrastive::head::fitted_head,
};

/// A sequence classifier whose encoder learns from pairs of texts. Its head is fitted to the training rows
/// whenever the model is evaluated or saved, so that it always belongs to the encoder.
#[derive(Debug)]
pub(crate) struct Contrastive {
    plan: TrainPlan,
    train: TokenizedDataset,
}

impl Learning for Contrastive {
    type Model = SequenceClassifier;

    fn begin(
        plan: &TrainPlan,
        _learner: &Learner<SequenceClassifier>,
        inputs: &RunInputs,
        _steps: &Steps,
        _run: &Path,
        _observers: &mut Observers<'_>,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            plan: plan.clone(),
            train: inputs.data.train.clone(),
        })
    }

    fn backward(
        &self,
        learner: &Learner<SequenceClassifier>,
        batches: &[PackedBatch],
        _epoch: u64,
        dropout: impl Fn(usize) -> DropoutSource,
    ) -> Result<(BatchLosses, ParameterGradients), TrainError> {
        pair_loss(&learner.model, batches, dropout)
    }

    fn completed(
        &self,
        learner: Learner<SequenceClassifier>,
    ) -> Result<Learner<SequenceClassifier>, TrainError> {
        let (weight, bias) = fitted_head(&learner.model, &self.train, &self.plan)?;
        Ok(learner.map_model(|mut model| {
            model.head.classifier.replace(weight, bias);
            model
        }))
    }

    fn evaluate(
        &self,
        model: &SequenceClassifier,
        held_out: HeldOut<'_>,
        observers: &mut Observers<'_>,
    ) -> Result<Accumulator, TrainError> {
        let batch_size = self.plan.evaluation.eval_batch_size;
        let (rows, name) = (held_out.rows(), held_out.name());
        evaluate(model, rows, None, name, batch_size, observers)
    }
}
