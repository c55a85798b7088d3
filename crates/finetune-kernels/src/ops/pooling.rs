//! The operands of pooling.

use std::fmt;

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};
use serde::{Deserialize, Serialize};

use crate::Offsets;

/// How the hidden states of a sequence's tokens become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Those of the first token.
    First,
    /// The mean over all tokens.
    Mean,
    /// The maximum of each column over all tokens. The gradient goes to the first token that has it.
    Max,
}

impl Pooling {
    /// All ways of pooling.
    pub const ALL: [Self; 3] = [Self::First, Self::Mean, Self::Max];

    /// Their names.
    pub const NAMES: [&'static str; 3] = ["first", "mean", "max"];

    /// Returns the name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Mean => "mean",
            Self::Max => "max",
        }
    }

    /// Finds the pooling with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pooling| pooling.name() == name)
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The operands of [`EncoderOps::pool`](super::EncoderOps::pool).
#[derive(Clone, Debug, ExtensionType)]
pub struct Pool<B: Backend> {
    /// `[tokens, columns]`
    pub x: FloatTensor<B>,
    /// The bounds of the sequences, none of which is empty.
    pub offsets: Offsets,
    /// What is computed of each sequence.
    pub pooling: Pooling,
}

/// The values that the maximum keeps for its gradient.
#[derive(Clone, Debug)]
pub struct PoolMaximum<B: Backend> {
    /// The operand, `[tokens, columns]`.
    pub x: FloatTensor<B>,
    /// The result, `[batch, columns]`.
    pub result: FloatTensor<B>,
}
