//! The embedding block below the encoder's layers.

use burn::{
    Tensor,
    module::{Module, Param},
};
use finetune_kernels::{
    Activation, DropoutSource, EmbeddingTables, PackedTokens, Site, embedding_norm,
};
use finetune_peft::Linear;

use super::LayerNorm;
use crate::{Component, ModelConfig, ModelError, Role, values::Values};

/// Word, position and token type embeddings, summed and normalised, then projected to `hidden` if
/// their width differs from it.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// `[vocab_size, embedding]`
    pub word: Param<Tensor<2>>,
    /// `[max_position_embeddings, embedding]`
    pub position: Param<Tensor<2>>,
    /// `[type_vocab_size, embedding]`, in families with token types.
    pub token_type: Option<Param<Tensor<2>>>,
    /// Layer norm of the sum.
    pub norm: LayerNorm,
    /// Projection from `embedding` to `hidden`, if they differ.
    pub projection: Option<Linear>,
    #[module(skip)]
    dropout: f64,
}

impl Embeddings {
    pub(crate) fn new(values: &mut Values<'_>, config: &ModelConfig) -> Result<Self, ModelError> {
        Ok(Self {
            word: values.parameter(Component::WordTable, 0, Role::WordTable)?,
            position: values.parameter(Component::PositionTable, 0, Role::PositionTable)?,
            token_type: match config.has(Component::TokenTypeTable) {
                true => {
                    Some(values.parameter(Component::TokenTypeTable, 0, Role::TokenTypeTable)?)
                }
                false => None,
            },
            norm: LayerNorm::new(values, Component::EmbeddingNorm, 0, config.norm_epsilon)?,
            projection: match config.has(Component::EmbeddingProjection) {
                true => Some(values.linear(Component::EmbeddingProjection, 0)?),
                false => None,
            },
            dropout: config.dropout,
        })
    }

    /// Computes the input of the first layer, `[tokens, hidden]`.
    pub(crate) fn forward(&self, tokens: &PackedTokens, source: DropoutSource) -> Tensor<2> {
        let tables = EmbeddingTables {
            word: self.word.val(),
            position: self.position.val(),
            token_type: self.token_type.as_ref().map(Param::val),
        };
        let dropout = source.site(Site::EMBEDDINGS, self.dropout);
        let embedded = embedding_norm(tables, self.norm.val(), tokens, dropout);
        match &self.projection {
            None => embedded,
            Some(projection) => projection.forward(embedded, Activation::Identity, source),
        }
    }
}
