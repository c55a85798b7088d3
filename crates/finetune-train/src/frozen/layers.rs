//! A model split at the end of its frozen encoder layers.

use burn::Tensor;
use finetune_kernels::{DropoutSource, Offsets, PackedTokens};
use finetune_models::{HiddenStates, ModelConfig, SequenceClassifier};

use crate::TrainError;

/// A model, and the number of its frozen layers, counted from the embeddings. The features are the output of these
/// layers for a batch, without dropout: `[tokens, hidden]`, or `[batch, hidden]` (what the head reads) if
/// the whole encoder is frozen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrozenLayers<'a> {
    pub model: &'a SequenceClassifier,
    pub layers: usize,
}

impl FrozenLayers<'_> {
    /// Returns whether `layers` is the whole encoder, so that features are what the head reads.
    pub fn are_all(layers: usize, config: &ModelConfig) -> bool {
        layers >= config.num_hidden_layers
    }

    /// Computes the features of a batch.
    ///
    /// # Errors
    /// Fails if the tokens do not fit the model.
    pub fn features(&self, tokens: &PackedTokens) -> Result<Tensor<2>, TrainError> {
        let (encoder, off) = (&self.model.encoder, DropoutSource::OFF);
        let hidden = encoder.embed(tokens, off)?;
        Ok(match Self::are_all(self.layers, self.model.config()) {
            true => encoder.pooled(hidden, &tokens.offsets, off),
            false => {
                encoder
                    .run(hidden, self.layers, &tokens.offsets, off)
                    .values
            }
        })
    }

    /// Computes the logits from the features, `[batch, outputs]`.
    pub fn logits(
        &self,
        features: Tensor<2>,
        offsets: &Offsets,
        dropout: DropoutSource,
    ) -> Tensor<2> {
        if Self::are_all(self.layers, self.model.config()) {
            return self.model.head.forward(features, dropout);
        }
        let hidden = HiddenStates {
            values: features,
            layer: self.layers,
        };
        self.model.forward_from(hidden, offsets, dropout)
    }
}
