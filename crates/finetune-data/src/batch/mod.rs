//! Batches of tokenized rows: the order of the rows, and how they are packed.

pub(crate) mod builder;
pub(crate) mod packed;
pub(crate) mod permutation;
pub(crate) mod sampler;
