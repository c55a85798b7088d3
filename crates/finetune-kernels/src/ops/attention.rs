//! Attention's operands, and which queries look at which keys.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

use super::Precision;
use crate::{Dropout, Offsets};

/// The operands of [`EncoderOps::attention`](super::EncoderOps::attention).
#[derive(Clone, Debug, ExtensionType)]
pub struct Attention<B: Backend> {
    /// `[queries, heads · d]`
    pub query: FloatTensor<B>,
    /// `[keys, heads · d]`
    pub key: FloatTensor<B>,
    /// `[keys, heads · d]`
    pub value: FloatTensor<B>,
    /// Which queries look at which keys.
    pub shape: AttentionShape,
    /// Dropout of the probabilities.
    pub dropout: Dropout,
}

/// What attention needs to know of its inputs: which queries look at which keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Bounds of each sequence's queries.
    pub queries: Offsets,
    /// Bounds of each sequence's keys and values, of as many sequences. They differ from those of
    /// the queries where only some tokens' results are wanted.
    pub keys: Offsets,
    /// Number of heads; the width is a multiple of it.
    pub heads: usize,
    /// Precision of the matrix multiplications.
    pub precision: Precision,
}

impl AttentionShape {
    /// Every token of a sequence looks at every other.
    pub fn of_all(offsets: &Offsets, heads: usize, precision: Precision) -> Self {
        Self {
            queries: offsets.clone(),
            keys: offsets.clone(),
            heads,
            precision,
        }
    }

    /// The first token of each sequence looks at all of them.
    pub fn of_first(offsets: &Offsets, heads: usize, precision: Precision) -> Self {
        Self {
            queries: Offsets::from_lengths(vec![1; offsets.batch_size()]),
            keys: offsets.clone(),
            heads,
            precision,
        }
    }
}
