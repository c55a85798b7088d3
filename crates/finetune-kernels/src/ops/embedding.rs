//! The operands of embeddings.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

use super::Norm;
use crate::{Dropout, PackedTokens};

/// The token type table of the embeddings, which some models lack.
#[derive(Clone, Debug, ExtensionType)]
pub enum TokenTypeTable<B: Backend> {
    /// The model has no token types.
    Absent,
    /// The table, `[type_vocab_size, hidden]`.
    Table(FloatTensor<B>),
}

/// The tables of the embeddings.
#[derive(Clone, Debug, ExtensionType)]
pub struct EmbeddingTables<B: Backend> {
    /// `[vocab_size, hidden]`
    pub word: FloatTensor<B>,
    /// `[max_position_embeddings, hidden]`
    pub position: FloatTensor<B>,
    /// `[type_vocab_size, hidden]`, if the model has token types.
    #[extension_type]
    pub token_type: TokenTypeTable<B>,
    /// The factor of the word table's rows.
    pub scale: f64,
}

/// The operands of [`EncoderOps::embedding_norm`](super::EncoderOps::embedding_norm).
#[derive(Clone, Debug, ExtensionType)]
pub struct EmbeddingNorm<B: Backend> {
    /// The tables whose rows are summed.
    #[extension_type]
    pub tables: EmbeddingTables<B>,
    /// The layer norm of the sum.
    #[extension_type]
    pub norm: Norm<B>,
    /// The rows of each token.
    pub tokens: PackedTokens,
    /// The dropout of the result.
    pub dropout: Dropout,
}

/// The operands of [`EncoderOps::embedding_sum`](super::EncoderOps::embedding_sum).
#[derive(Clone, Debug, ExtensionType)]
pub struct EmbeddingSum<B: Backend> {
    /// The tables whose rows are summed.
    #[extension_type]
    pub tables: EmbeddingTables<B>,
    /// The rows of each token.
    pub tokens: PackedTokens,
    /// The dropout of the sum.
    pub dropout: Dropout,
}
