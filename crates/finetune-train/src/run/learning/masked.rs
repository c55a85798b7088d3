//! Learning from texts alone: a model predicts the tokens that are hidden from it.

use std::path::Path;

use burn::{Tensor, module::Module};
use finetune_data::{PackedBatch, TextTokenizer};
use finetune_infer::{MaskedTokenLosses, Workers, evaluate_batches};
use finetune_kernels::DropoutSource;
use finetune_models::MaskedLm;

use crate::{
    Accumulator, BatchLosses, HeldOut, Learner, Learning, MaskedBatch, Masker, Observers,
    ParameterGradients, RunInputs, Steps, TrainError, TrainPlan, run::evaluate::reported,
    step::total::StepTotal,
};

/// A masked language model that learns to predict masked tokens. The masks of a training row change
/// with each epoch; those of an evaluation are always the same.
#[derive(Debug)]
pub(crate) struct MaskedLearning {
    masker: Masker,
    eval_batch_size: usize,
}

impl MaskedLearning {
    /// Creates the masks of a run.
    ///
    /// # Errors
    /// Fails if the plan does not pretrain, if the base model's tokenizer has no mask token, or if there is
    /// nothing to mask.
    pub fn masker(plan: &TrainPlan, inputs: &RunInputs) -> Result<Masker, TrainError> {
        let Some(pretraining) = &plan.pretraining else {
            let problem = "the plan trains on labels; run it with RunDirectory::execute";
            return Err(TrainError::Internal(problem.into()));
        };
        let tokenizer = TextTokenizer::from_directory(&inputs.base)?;
        let vocabulary = tokenizer.masking_vocabulary()?;
        inputs.data.check_maskable(&vocabulary)?;
        Ok(Masker::new(vocabulary, pretraining.clone(), plan.seed))
    }
}

impl Learning for MaskedLearning {
    type Model = MaskedLm;

    fn begin(
        plan: &TrainPlan,
        _learner: &Learner<MaskedLm>,
        inputs: &RunInputs,
        _steps: &Steps,
        _run: &Path,
        _observers: &mut Observers<'_>,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            masker: Self::masker(plan, inputs)?,
            eval_batch_size: plan.evaluation.eval_batch_size,
        })
    }

    /// The loss is the mean over all masked tokens of the step. A step without any, which has nothing but
    /// special tokens, has loss 0 and changes nothing.
    fn backward(
        &self,
        learner: &Learner<MaskedLm>,
        batches: &[PackedBatch],
        epoch: u64,
        dropout: impl Fn(usize) -> DropoutSource,
    ) -> Result<(BatchLosses, ParameterGradients), TrainError> {
        let batches = batches.iter();
        let batches: Vec<_> = batches
            .map(|batch| self.masker.training(batch, epoch))
            .collect();
        let denominator = batches.iter().map(MaskedBatch::count).sum::<usize>() as f64;
        let mut total = StepTotal::default();
        for (index, batch) in batches.iter().enumerate() {
            if batch.count() == 0 {
                continue;
            }
            let loss = loss(learner, batch, denominator, dropout(index))?;
            total.add(loss, &learner.model, None);
        }
        let nothing = || (BatchLosses::default(), ParameterGradients::new(Vec::new()));
        Ok(total.finish().unwrap_or_else(nothing))
    }

    /// Computes the mean loss on the masked tokens of all rows.
    fn evaluate(
        &self,
        model: &MaskedLm,
        held_out: HeldOut<'_>,
        observers: &mut Observers<'_>,
    ) -> Result<Accumulator, TrainError> {
        let (rows, model) = (held_out.rows(), model.valid());
        let workers = Workers::of(&model.device());
        let mut losses = MaskedTokenLosses::default();
        let evaluated = |batch: &PackedBatch| {
            let rows = batch.batch_size() as u64;
            let batch = self.masker.evaluation(batch);
            let loss = match batch.count() {
                0 => 0.0,
                _ => {
                    let MaskedBatch { tokens, masked } = &batch;
                    let loss =
                        workers.run(|| model.loss(tokens, masked, 1.0, DropoutSource::OFF))?;
                    f64::from(loss.into_scalar::<f32>())
                }
            };
            losses.add(rows, batch.count() as u64, loss);
            Ok(())
        };
        let progress = reported(held_out.name(), rows.len(), observers)?;
        evaluate_batches(rows, self.eval_batch_size, evaluated, progress)?;
        Ok(losses.into())
    }
}

/// Computes the loss of a batch, `[1]`. Frozen layers run without dropout, as in all kinds of training.
fn loss(
    learner: &Learner<MaskedLm>,
    batch: &MaskedBatch,
    denominator: f64,
    dropout: DropoutSource,
) -> Result<Tensor<1>, TrainError> {
    let MaskedBatch { tokens, masked } = batch;
    let (model, offsets) = (&learner.model, &tokens.offsets);
    let hidden = match learner.frozen_layers() {
        0 => model.encoder.embed(tokens, dropout)?,
        frozen => {
            let hidden = model.encoder.embed(tokens, DropoutSource::OFF)?;
            model
                .encoder
                .run(hidden, frozen, offsets, DropoutSource::OFF)
        }
    };
    Ok(model.loss_from(hidden, offsets, masked, denominator, dropout)?)
}
