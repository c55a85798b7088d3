//! The way from a batch to its logits: chosen here, and nowhere else.

use burn::Tensor;
use finetune_data::PackedBatch;
use finetune_kernels::{DropoutSource, PackedTokens, UsedRows};
use finetune_models::SequenceClassifier;

use super::layers::FrozenLayers;
use crate::{FeatureStore, TrainError};

/// How the logits of a batch are computed: from the kept features of frozen layers on, with frozen
/// layers run without dropout, or through the whole model.
#[derive(Clone, Copy, Debug)]
pub struct ForwardPath<'a> {
    /// Layers from the embeddings on that run without dropout: nothing in or below them is trained.
    frozen_layers: usize,
    features: Option<&'a FeatureStore>,
}

impl<'a> ForwardPath<'a> {
    /// With the first `frozen_layers` layers and the embeddings run without dropout (0: nothing is
    /// frozen). `features` has their results, where those are kept.
    pub fn new(frozen_layers: usize, features: Option<&'a FeatureStore>) -> Self {
        Self {
            frozen_layers,
            features,
        }
    }

    /// Logits of a batch, `[batch, outputs]`.
    ///
    /// # Errors
    /// Tokens that do not fit the model; features that cannot be read.
    pub fn logits(
        &self,
        model: &SequenceClassifier,
        batch: &PackedBatch,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, TrainError> {
        self.of_tokens(model, batch, &batch.tokens, dropout)
    }

    /// [`logits`](Self::logits) for a backward pass, with the rows of the word table that take part
    /// in it; `None`: the table does not.
    ///
    /// # Errors
    /// As `logits`.
    pub fn logits_and_used_rows(
        &self,
        model: &SequenceClassifier,
        batch: &PackedBatch,
        dropout: DropoutSource,
    ) -> Result<(Tensor<2>, Option<UsedRows>), TrainError> {
        if self.features.is_some() {
            return Ok((self.logits(model, batch, dropout)?, None));
        }
        let tokens = batch.tokens.clone().with_used_rows();
        let logits = self.of_tokens(model, batch, &tokens, dropout)?;
        Ok((logits, tokens.used_rows))
    }

    /// Where the ways part. `tokens` are those of the batch.
    fn of_tokens(
        &self,
        model: &SequenceClassifier,
        batch: &PackedBatch,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, TrainError> {
        let layers = match self.features {
            Some(store) => store.layers(),
            None => self.frozen_layers,
        };
        let frozen = FrozenLayers { model, layers };
        let features = match self.features {
            Some(store) => store.features(model, batch)?,
            None if layers == 0 => return Ok(model.forward(tokens, dropout)?),
            None => frozen.features(tokens)?,
        };
        Ok(frozen.logits(features, &tokens.offsets, dropout))
    }
}

/// Logits of a batch by [`ForwardPath`].
///
/// # Errors
/// As [`ForwardPath::logits`].
pub fn forward(
    model: &SequenceClassifier,
    batch: &PackedBatch,
    frozen_layers: usize,
    features: Option<&FeatureStore>,
    dropout: DropoutSource,
) -> Result<Tensor<2>, TrainError> {
    ForwardPath::new(frozen_layers, features).logits(model, batch, dropout)
}
