//! Operations on slices.

pub(crate) mod activation;
