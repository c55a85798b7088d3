//! The masked tokens of a batch.

use crate::Indices;

/// The tokens of a batch that a masked language model predicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedTokens {
    /// Indices of the tokens in the packed batch, in ascending order, `[masked]`.
    pub places: Indices,
    /// Their original ids, `[masked]`.
    pub ids: Indices,
}
