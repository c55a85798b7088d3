//! The operands of attention, and which queries attend to which keys.

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
    /// Which queries attend to which keys.
    pub shape: AttentionShape,
    /// Dropout of the probabilities.
    pub dropout: Dropout,
}

/// The shape of attention: which queries attend to which keys, and the number of heads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Bounds of each sequence's queries.
    pub queries: Offsets,
    /// Bounds of each sequence's keys and values, for the same number of sequences. They differ from
    /// those of the queries if results are needed for some tokens only.
    pub keys: Offsets,
    /// Number of heads, a divisor of the width.
    pub heads: usize,
    /// Precision of the matrix multiplications.
    pub precision: Precision,
}

impl AttentionShape {
    /// Creates the shape in which every token of a sequence attends to all of its tokens.
    pub fn of_all(offsets: &Offsets, heads: usize, precision: Precision) -> Self {
        Self {
            queries: offsets.clone(),
            keys: offsets.clone(),
            heads,
            precision,
        }
    }

    /// Creates the shape in which only some tokens of each sequence, whose bounds are `queries`, attend
    /// to all of its tokens.
    pub fn of_some(
        queries: &Offsets,
        offsets: &Offsets,
        heads: usize,
        precision: Precision,
    ) -> Self {
        Self {
            queries: queries.clone(),
            ..Self::of_all(offsets, heads, precision)
        }
    }
}
