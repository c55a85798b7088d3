//! Learning from labels.

use std::path::Path;

use burn::tensor::Device;
use finetune_data::{PackedBatch, TokenizedDataset};
use finetune_kernels::DropoutSource;
use finetune_models::SequenceClassifier;

use crate::{
    Accumulator, Classifier, FrozenPrefix, Learner, Learning, LossConfig, Observers,
    ParameterGradients, RunInputs, StepLoss, Steps, TrainError, TrainPlan, evaluate,
};

/// A sequence classifier, or a regression model, that learns the labels of its rows.
#[derive(Debug)]
pub(crate) struct Supervised {
    loss: LossConfig,
    prefix: FrozenPrefix,
    validation: TokenizedDataset,
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
            validation: inputs.data.validation.clone(),
            eval_batch_size: plan.evaluation.eval_batch_size,
        })
    }

    fn backward(
        &self,
        learner: &Learner<SequenceClassifier>,
        batches: &[PackedBatch],
        _epoch: u64,
        dropout: impl Fn(usize) -> DropoutSource,
    ) -> Result<(f64, ParameterGradients), TrainError> {
        let loss = StepLoss::new(&self.loss, learner.frozen_layers(), self.prefix.train());
        loss.backward(&learner.model, batches, dropout)
    }

    fn evaluate(
        &self,
        model: &SequenceClassifier,
        observers: &mut Observers<'_>,
    ) -> Result<Accumulator, TrainError> {
        evaluate(
            model,
            &self.validation,
            self.prefix.validation(),
            "validation",
            self.eval_batch_size,
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
        let Some(rows) = &inputs.data.test else {
            return Ok(None);
        };
        let mut best = match plan.model.strategy.is_adapter() {
            true => Classifier::load_adapter(&inputs.base, kept, device)?,
            false => Classifier::load_on(kept, device)?,
        };
        best.set_precision(plan.model.precision);
        let batch_size = plan.evaluation.eval_batch_size;
        evaluate(best.model(), rows, None, "test", batch_size, observers).map(Some)
    }
}
