//! The way from a batch to its logits: chosen here, and nowhere else.

use burn::Tensor;
use finetune_data::PackedBatch;
use finetune_kernels::{DropoutSource, PackedTokens, UsedRows};
use finetune_models::SequenceClassifier;

use crate::{FeatureStore, TrainError, packed_tokens};

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
        match self.features {
            Some(features) => features.forward(model, batch, dropout),
            None => self.through(model, &packed_tokens(batch)?, dropout),
        }
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
        let tokens = packed_tokens(batch)?.with_used_rows();
        let logits = self.through(model, &tokens, dropout)?;
        Ok((logits, tokens.used_rows))
    }

    /// Through the layers, where nothing is kept.
    fn through(
        &self,
        model: &SequenceClassifier,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, TrainError> {
        if self.frozen_layers == 0 {
            return Ok(model.forward(tokens, dropout)?);
        }
        let (encoder, off) = (&model.encoder, DropoutSource::OFF);
        let hidden = encoder.embed(tokens, off)?;
        if self.frozen_layers == encoder.layers.len() {
            let first = encoder.first(hidden, &tokens.offsets, off);
            return Ok(model.head.forward(first, dropout));
        }
        let hidden = encoder.run(hidden, self.frozen_layers, &tokens.offsets, off);
        Ok(model.forward_from(hidden, &tokens.offsets, dropout))
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
