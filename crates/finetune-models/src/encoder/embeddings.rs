//! The embedding block below the encoder's layers.

use burn::{
    Tensor,
    module::{Module, Param},
};
use finetune_kernels::{
    Activation, DropoutSource, EmbeddingTables, PackedTokens, Site, embedding_norm, embedding_sum,
};
use finetune_peft::Linear;

use super::{LayerNorm, sinusoids::sinusoids};
use crate::{Component, ModelConfig, ModelError, Role, family::PositionKind, values::Values};

/// Word, position and token type embeddings, summed and usually normalised, then projected to `hidden`
/// if their width differs from it.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// `[vocab_size, embedding]`
    pub word: Param<Tensor<2>>,
    /// `[max_position_embeddings, embedding]`, unless positions are sinusoidal.
    pub position: Option<Param<Tensor<2>>>,
    /// The table of sinusoidal positions, `[max_position_embeddings, embedding]`, which is no parameter;
    /// empty if they are learned.
    sinusoids: Tensor<2>,
    /// `[type_vocab_size, embedding]`, in families with token types.
    pub token_type: Option<Param<Tensor<2>>>,
    /// Layer norm of the sum, in encoders that normalize it.
    pub norm: Option<LayerNorm>,
    /// Projection from `embedding` to `hidden`, if they differ.
    pub projection: Option<Linear>,
    /// The factor of the word embeddings.
    #[module(skip)]
    scale: f64,
    #[module(skip)]
    dropout: f64,
}

impl Embeddings {
    pub(crate) fn new(values: &mut Values<'_>, config: &ModelConfig) -> Result<Self, ModelError> {
        let structure = &config.structure;
        Ok(Self {
            word: values.parameter(Component::WordTable, 0, Role::WordTable)?,
            position: match config.has(Component::PositionTable) {
                true => Some(values.parameter(Component::PositionTable, 0, Role::PositionTable)?),
                false => None,
            },
            sinusoids: {
                let positions = match structure.positions {
                    PositionKind::Learned => 0,
                    PositionKind::Sinusoidal => config.max_position_embeddings,
                };
                sinusoids(positions, config.embedding_size, values.device)
            },
            token_type: match config.has(Component::TokenTypeTable) {
                true => {
                    Some(values.parameter(Component::TokenTypeTable, 0, Role::TokenTypeTable)?)
                }
                false => None,
            },
            norm: match config.has(Component::EmbeddingNorm) {
                true => {
                    let epsilon = config.norm_epsilon;
                    Some(LayerNorm::new(
                        values,
                        Component::EmbeddingNorm,
                        0,
                        epsilon,
                    )?)
                }
                false => None,
            },
            projection: match config.has(Component::EmbeddingProjection) {
                true => Some(values.linear(Component::EmbeddingProjection, 0)?),
                false => None,
            },
            scale: structure.embedding_scale.factor(config.embedding_size),
            dropout: config.dropout,
        })
    }

    /// Computes the input of the first layer, `[tokens, hidden]`.
    pub(crate) fn forward(&self, tokens: &PackedTokens, source: DropoutSource) -> Tensor<2> {
        self.forward_from(self.word.val(), tokens, source)
    }

    /// Computes the input of the first layer with another word table, `[words, embedding]`.
    pub(crate) fn forward_from(
        &self,
        word: Tensor<2>,
        tokens: &PackedTokens,
        source: DropoutSource,
    ) -> Tensor<2> {
        let learned = self.position.as_ref().map(Param::val);
        let tables = EmbeddingTables {
            word,
            position: learned.unwrap_or_else(|| self.sinusoids.clone()),
            token_type: self.token_type.as_ref().map(Param::val),
            scale: self.scale,
        };
        let dropout = source.site(Site::EMBEDDINGS, self.dropout);
        let embedded = match &self.norm {
            Some(norm) => embedding_norm(tables, norm.val(), tokens, dropout),
            None => embedding_sum(tables, tokens, dropout),
        };
        match &self.projection {
            None => embedded,
            Some(projection) => projection.forward(embedded, Activation::Identity, source),
        }
    }
}
