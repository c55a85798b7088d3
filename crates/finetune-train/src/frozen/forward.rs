//! The forward pass of a batch. Its path is chosen here and nowhere else.

use burn::Tensor;
use finetune_data::PackedBatch;
use finetune_kernels::{DropoutSource, PackedTokens, UsedRows};
use finetune_models::SequenceClassifier;

use super::layers::FrozenLayers;
use crate::{FeatureStore, TrainError};

/// How the logits of a batch are computed: from the stored features of frozen layers, with frozen
/// layers run without dropout, or through the whole model.
#[derive(Clone, Copy, Debug)]
pub struct ForwardPath<'a> {
    /// Number of lowest layers that run without dropout, since nothing in or below them is trained.
    frozen_layers: usize,
    features: Option<&'a FeatureStore>,
}

impl<'a> ForwardPath<'a> {
    /// Runs the embeddings and the first `frozen_layers` layers without dropout; with 0, nothing is
    /// frozen. `features` holds their results, if they are stored.
    pub fn new(frozen_layers: usize, features: Option<&'a FeatureStore>) -> Self {
        Self {
            frozen_layers,
            features,
        }
    }

    /// Computes the logits of a batch, `[batch, outputs]`.
    ///
    /// # Errors
    /// Fails if the tokens do not fit the model, or features cannot be read.
    pub fn logits(
        &self,
        model: &SequenceClassifier,
        batch: &PackedBatch,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, TrainError> {
        self.of_tokens(model, batch, &batch.tokens, dropout)
    }

    /// Computes [`logits`](Self::logits) for a backward pass, and returns the rows of the word table
    /// that take part in it, or `None` if the table does not.
    ///
    /// # Errors
    /// Fails like [`logits`](Self::logits).
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

    /// Chooses the path. `tokens` are those of the batch.
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
