//! The features of frozen layers, computed once, and the forward pass of a batch.

pub(crate) mod features;
pub(crate) mod forward;
pub(crate) mod layers;
