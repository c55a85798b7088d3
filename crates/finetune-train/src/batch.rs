//! From the data's batches to the model's, and the loss on them.

use burn::Tensor;
use finetune_data::{BatchLabels, PackedBatch};
use finetune_kernels::{
    DropoutSource, Offsets, PackedTokens, mean_squared_error, softmax_cross_entropy,
};
use finetune_models::SequenceClassifier;

use crate::TrainError;

/// The tokens of a batch as the model takes them.
pub fn packed_tokens(batch: &PackedBatch) -> Result<PackedTokens, TrainError> {
    let offsets = Offsets::new(batch.offsets.clone())
        .ok_or_else(|| TrainError::Plan("the batch's offsets do not grow from 0".into()))?;
    Ok(PackedTokens {
        ids: batch.ids.as_slice().into(),
        positions: batch.positions.as_slice().into(),
        type_ids: batch.type_ids.as_slice().into(),
        offsets,
    })
}

/// Mean loss of a batch, `[1]`: cross-entropy for classes, squared error for values.
pub fn batch_loss(
    model: &SequenceClassifier,
    batch: &PackedBatch,
    dropout: DropoutSource,
) -> Result<Tensor<1>, TrainError> {
    let logits = model.forward(&packed_tokens(batch)?, dropout)?;
    let rows = batch.batch_size() as f64;
    match &batch.labels {
        BatchLabels::Classes(targets) => Ok(softmax_cross_entropy(
            logits,
            targets.as_slice().into(),
            rows,
        )),
        BatchLabels::Values(targets) => Ok(mean_squared_error(logits, targets, rows)),
        BatchLabels::None => Err(TrainError::Plan("the training rows have no labels".into())),
    }
}
