//! The operands of attention transfer.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

use crate::Offsets;

/// The operands of [`EncoderOps::attention_transfer`](super::EncoderOps::attention_transfer). Teacher and
/// student have the same tokens and the same number of heads, whose sizes may differ.
#[derive(Clone, Debug, ExtensionType)]
pub struct AttentionTransfer<B: Backend> {
    /// The student's queries, `[tokens, heads · d]`.
    pub query: FloatTensor<B>,
    /// The student's keys, `[tokens, heads · d]`.
    pub key: FloatTensor<B>,
    /// The teacher's queries, `[tokens, heads · d']`, which take no gradient.
    pub teacher_query: FloatTensor<B>,
    /// The teacher's keys, `[tokens, heads · d']`, which take no gradient.
    pub teacher_key: FloatTensor<B>,
    /// Bounds of the sequences, each of which attends to itself.
    pub offsets: Offsets,
    /// Number of heads.
    pub heads: usize,
    /// The divisor of the summed divergences.
    pub denominator: f64,
}
