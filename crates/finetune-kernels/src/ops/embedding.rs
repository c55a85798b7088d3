//! Embeddings' operands.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

use super::Norm;
use crate::{Dropout, PackedTokens};

/// The token type table of an embedding, which DistilBERT does not have.
#[derive(Clone, Debug, ExtensionType)]
pub enum TokenTypeTable<B: Backend> {
    /// No token types.
    Absent,
    /// One row per token type, `[type_vocab_size, hidden]`.
    Table(FloatTensor<B>),
}

/// The tables of an embedding.
#[derive(Clone, Debug, ExtensionType)]
pub struct EmbeddingTables<B: Backend> {
    /// `[vocab_size, hidden]`
    pub word: FloatTensor<B>,
    /// `[max_position_embeddings, hidden]`
    pub position: FloatTensor<B>,
    /// `[type_vocab_size, hidden]`, if there are token types.
    #[extension_type]
    pub token_type: TokenTypeTable<B>,
}

/// The operands of [`EncoderOps::embedding_norm`](super::EncoderOps::embedding_norm).
#[derive(Clone, Debug, ExtensionType)]
pub struct EmbeddingNorm<B: Backend> {
    /// The tables whose rows are summed.
    #[extension_type]
    pub tables: EmbeddingTables<B>,
    /// The norm of the sum.
    #[extension_type]
    pub norm: Norm<B>,
    /// Which rows each token takes.
    pub tokens: PackedTokens,
    /// Dropout of the result.
    pub dropout: Dropout,
}
