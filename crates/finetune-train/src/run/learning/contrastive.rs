//! Learning from pairs of texts.

use std::path::Path;

use burn::tensor::Device;
use finetune_data::{PackedBatch, TokenizedDataset};
use finetune_kernels::DropoutSource;
use finetune_models::SequenceClassifier;

use super::supervised::Supervised;
use crate::{
    Accumulator, Learner, Learning, Observers, ParameterGradients, RunInputs, Steps, TrainError,
    TrainPlan, evaluate, pair_loss, step::contrastive::head::fitted_head,
};

/// A sequence classifier whose encoder learns from pairs of texts. Its head is fitted to the training rows
/// whenever the model is evaluated or saved, so that it always belongs to the encoder.
#[derive(Debug)]
pub(crate) struct Contrastive {
    plan: TrainPlan,
    train: TokenizedDataset,
    validation: TokenizedDataset,
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
            validation: inputs.data.validation.clone(),
        })
    }

    fn backward(
        &self,
        learner: &Learner<SequenceClassifier>,
        batches: &[PackedBatch],
        _epoch: u64,
        dropout: impl Fn(usize) -> DropoutSource,
    ) -> Result<(f64, ParameterGradients), TrainError> {
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
        observers: &mut Observers<'_>,
    ) -> Result<Accumulator, TrainError> {
        let batch_size = self.plan.evaluation.eval_batch_size;
        evaluate(
            model,
            &self.validation,
            None,
            "validation",
            batch_size,
            observers,
        )
    }

    fn test(
        plan: &TrainPlan,
        inputs: &RunInputs,
        kept: &Path,
        device: &Device,
        observers: &mut Observers<'_>,
    ) -> Result<Option<Accumulator>, TrainError> {
        Supervised::test(plan, inputs, kept, device, observers)
    }
}
