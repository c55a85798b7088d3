//! Learning from labels.

use std::path::Path;

use finetune_data::PackedBatch;
use finetune_kernels::DropoutSource;
use finetune_models::SequenceClassifier;

use crate::{
    Accumulator, BatchLosses, FeatureStore, FrozenPrefix, HeldOut, Learner, Learning, LossConfig,
    Observers, ParameterGradients, RunInputs, StepLoss, Steps, TrainError, TrainPlan, evaluate,
};

/// A sequence classifier, or a regression model, that learns the labels of its rows.
#[derive(Debug)]
pub(crate) struct Supervised {
    loss: LossConfig,
    prefix: FrozenPrefix,
    eval_batch_size: usize,
}

impl Learning for Supervised {
    type Model = SequenceClassifier;

    fn begin(
        plan: &TrainPlan,
        learner: &Learner<SequenceClassifier>,
        inputs: &RunInputs,
        steps: &Steps,
        run: &Path,
        observers: &mut Observers<'_>,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            loss: plan.optimization.loss(),
            prefix: FrozenPrefix::fill(plan, learner, &inputs.data, steps, run, observers)?,
            eval_batch_size: plan.evaluation.eval_batch_size,
        })
    }

    fn backward(
        &self,
        learner: &Learner<SequenceClassifier>,
        batches: &[PackedBatch],
        _epoch: u64,
        dropout: impl Fn(usize) -> DropoutSource,
    ) -> Result<(BatchLosses, ParameterGradients), TrainError> {
        let loss = StepLoss::new(&self.loss, learner.frozen_layers(), self.prefix.train());
        loss.backward(&learner.model, batches, dropout)
    }

    fn evaluate(
        &self,
        model: &SequenceClassifier,
        held_out: HeldOut<'_>,
        observers: &mut Observers<'_>,
    ) -> Result<Accumulator, TrainError> {
        let features = match held_out {
            HeldOut::Validation(_) => self.prefix.validation(),
            HeldOut::Test(_) => None,
        };
        let (rows, name) = (held_out.rows(), held_out.name());
        evaluate(model, rows, features, name, self.eval_batch_size, observers)
    }
}

impl Supervised {
    /// Returns the results of frozen layers for the training rows, if they are stored.
    pub fn train_features(&self) -> Option<&FeatureStore> {
        self.prefix.train()
    }
}
