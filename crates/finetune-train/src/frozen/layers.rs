//! A model whose first encoder layers are frozen, cut in two where they end.

use burn::Tensor;
use finetune_kernels::{DropoutSource, Offsets, PackedTokens};
use finetune_models::{HiddenStates, ModelConfig, SequenceClassifier};

use crate::TrainError;

/// The model, and how many layers from the embeddings on are frozen. The features are what these
/// make of a batch, without dropout: `[tokens, hidden]`, or `[batch, hidden]` (first tokens) where
/// the whole encoder is frozen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrozenLayers<'a> {
    pub model: &'a SequenceClassifier,
    pub layers: usize,
}

impl FrozenLayers<'_> {
    /// Whether features of `layers` layers are those of first tokens: of the whole encoder.
    pub fn are_all(layers: usize, config: &ModelConfig) -> bool {
        layers >= config.num_hidden_layers
    }

    /// Computes the features.
    ///
    /// # Errors
    /// Tokens that do not fit the model.
    pub fn features(&self, tokens: &PackedTokens) -> Result<Tensor<2>, TrainError> {
        let (encoder, off) = (&self.model.encoder, DropoutSource::OFF);
        let hidden = encoder.embed(tokens, off)?;
        Ok(match Self::are_all(self.layers, self.model.config()) {
            true => encoder.first(hidden, &tokens.offsets, off),
            false => {
                encoder
                    .run(hidden, self.layers, &tokens.offsets, off)
                    .values
            }
        })
    }

    /// Logits from the features on, `[batch, outputs]`.
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
