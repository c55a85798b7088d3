//! What frozen layers compute, once, and the way of a batch to its logits.

pub(crate) mod features;
pub(crate) mod forward;
pub(crate) mod layers;
