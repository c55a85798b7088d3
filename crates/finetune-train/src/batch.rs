//! From the data's batches to the model's, and the loss on them.

use burn::Tensor;
use finetune_data::{BatchLabels, PackedBatch};
use finetune_kernels::{
    DropoutSource, Offsets, PackedTokens, binary_cross_entropy_with_logits, mean_squared_error,
    softmax_cross_entropy,
};
use finetune_models::SequenceClassifier;

use crate::{TrainError, TrainPlan, forward, lowest_trained_layer};

/// The tokens of a batch as the model takes them.
pub fn packed_tokens(batch: &PackedBatch) -> Result<PackedTokens, TrainError> {
    Ok(PackedTokens {
        ids: batch.ids.as_slice().into(),
        positions: batch.positions.as_slice().into(),
        type_ids: batch.type_ids.as_slice().into(),
        offsets: offsets(batch)?,
    })
}

/// The bounds of a batch's sequences.
pub(crate) fn offsets(batch: &PackedBatch) -> Result<Offsets, TrainError> {
    Offsets::new(batch.offsets.clone())
        .ok_or_else(|| TrainError::Plan("the batch's offsets do not grow from 0".into()))
}

/// How the loss of a batch is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchLoss {
    /// Layers from the embeddings on that run without dropout: nothing in or below them is trained.
    pub frozen_layers: usize,
}

impl BatchLoss {
    /// By a plan, for a model in training. A frozen prefix runs without dropout unless the plan
    /// says otherwise: noise in features that nothing adapts to only blurs them, and the head
    /// then learns from the features that prediction gives it.
    pub fn new(plan: &TrainPlan, model: &SequenceClassifier) -> Self {
        Self {
            frozen_layers: match plan.frozen_dropout {
                true => 0,
                false => lowest_trained_layer(model),
            },
        }
    }

    /// Mean loss of a batch, `[1]`, as transformers computes it: cross-entropy for classes, binary
    /// cross-entropy with logits for several classes per row, squared error for values; the last two
    /// averaged over outputs too.
    pub fn of(
        &self,
        model: &SequenceClassifier,
        batch: &PackedBatch,
        dropout: DropoutSource,
    ) -> Result<Tensor<1>, TrainError> {
        let logits = forward(model, batch, self.frozen_layers, None, dropout)?;
        let rows = batch.batch_size() as f64;
        let outputs = logits.dims()[1];
        match &batch.labels {
            BatchLabels::Classes(targets) => Ok(softmax_cross_entropy(
                logits,
                targets.as_slice().into(),
                rows,
            )),
            BatchLabels::MultiLabel { width, values } if *width == outputs => Ok(
                binary_cross_entropy_with_logits(logits, values, rows * outputs as f64),
            ),
            BatchLabels::Values { width, values } if *width == outputs => {
                Ok(mean_squared_error(logits, values, rows * outputs as f64))
            }
            BatchLabels::MultiLabel { width, .. } | BatchLabels::Values { width, .. } => {
                Err(TrainError::Plan(format!(
                    "the training rows have {width} labels each, but the model has {outputs} outputs"
                )))
            }
            BatchLabels::None => Err(TrainError::Plan("the training rows have no labels".into())),
        }
    }
}
