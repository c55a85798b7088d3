//! What frozen layers compute, once.

pub(crate) mod features;
pub(crate) mod forward;
pub(crate) mod prefix;
