//! Batches of tokenized rows: in which order rows come, and how they are packed.

pub(crate) mod builder;
pub(crate) mod packed;
pub(crate) mod permutation;
pub(crate) mod sampler;
