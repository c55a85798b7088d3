//! From the data's batches to the model's, and the loss of a step.

use finetune_data::{PackedBatch, TokenizedDataset};
use finetune_kernels::{DropoutSource, Offsets, PackedTokens};
use finetune_models::SequenceClassifier;

use crate::{
    FeatureStore, FrozenPrefix, LossConfig, ParameterGradients, TrainError, TrainPlan,
    frozen::features::forward_tokens,
};

/// The tokens of a batch as the model takes them.
pub fn packed_tokens(batch: &PackedBatch) -> Result<PackedTokens, TrainError> {
    Ok(PackedTokens {
        ids: batch.ids.as_slice().into(),
        positions: batch.positions.as_slice().into(),
        type_ids: batch.type_ids.as_slice().into(),
        offsets: offsets(batch)?,
        used_rows: None,
    })
}

/// The bounds of a batch's sequences.
pub(crate) fn offsets(batch: &PackedBatch) -> Result<Offsets, TrainError> {
    Offsets::new(batch.offsets.clone())
        .ok_or_else(|| TrainError::Plan("the batch's offsets do not grow from 0".into()))
}

/// The tokens of these rows of a batch, as a batch of their own.
pub(crate) fn select(batch: &PackedBatch, rows: &[usize]) -> PackedTokens {
    let range = |row: usize| batch.offsets[row] as usize..batch.offsets[row + 1] as usize;
    let take = |values: &[u32]| {
        let rows = rows.iter().flat_map(|&row| &values[range(row)]);
        rows.copied().collect::<Vec<_>>().into()
    };
    PackedTokens {
        ids: take(&batch.ids),
        positions: take(&batch.positions),
        type_ids: take(&batch.type_ids),
        offsets: Offsets::from_lengths(rows.iter().map(|&row| range(row).len() as u32)),
        used_rows: None,
    }
}

/// The batches of these rows.
pub fn batches(data: &TokenizedDataset, rows: &[Vec<u64>]) -> Result<Vec<PackedBatch>, TrainError> {
    let batches = rows.iter().map(|rows| data.batch(rows));
    Ok(batches.collect::<Result<_, _>>()?)
}

/// How the loss of a step is computed.
#[derive(Clone, Copy, Debug)]
pub struct StepLoss<'a> {
    /// Layers from the embeddings on that run without dropout: nothing in or below them is trained.
    frozen_layers: usize,
    features: Option<&'a FeatureStore>,
    loss: &'a LossConfig,
}

impl<'a> StepLoss<'a> {
    /// For a model in training. `features` has the results of its frozen layers, where those are
    /// kept.
    pub fn new(
        plan: &TrainPlan,
        loss: &'a LossConfig,
        model: &SequenceClassifier,
        features: Option<&'a FeatureStore>,
    ) -> Self {
        Self {
            frozen_layers: FrozenPrefix::layers(plan, model),
            features,
            loss,
        }
    }

    /// Mean loss over the rows of all batches of a step, and its gradients: what one batch of all
    /// rows would give, however they are cut. `dropout` is asked for each batch by its index.
    pub fn backward(
        &self,
        model: &SequenceClassifier,
        batches: &[PackedBatch],
        dropout: impl Fn(usize) -> DropoutSource,
    ) -> Result<(f64, ParameterGradients), TrainError> {
        let denominators = batches
            .iter()
            .map(|batch| self.loss.denominator(&batch.labels));
        let denominator = denominators.sum();
        let (mut total, mut sum) = (0.0, None::<ParameterGradients>);
        for (index, batch) in batches.iter().enumerate() {
            let dropout = dropout(index);
            let (logits, used_rows) = match self.features {
                Some(features) => (features.forward(model, batch, dropout)?, None),
                None => {
                    let tokens = packed_tokens(batch)?.with_used_rows();
                    let logits = forward_tokens(model, &tokens, self.frozen_layers, dropout)?;
                    (logits, tokens.used_rows)
                }
            };
            let loss = self.loss.loss(logits, &batch.labels, denominator)?;
            let gradients = ParameterGradients::backward_of_rows(&loss, model, used_rows);
            total += f64::from(loss.into_scalar::<f32>());
            sum = Some(match sum {
                None => gradients,
                Some(sum) => sum + gradients,
            });
        }
        let gradients = sum.ok_or_else(|| TrainError::Plan("a step without rows".into()))?;
        Ok((total, gradients))
    }
}
