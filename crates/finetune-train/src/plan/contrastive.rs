//! Settings of contrastive training.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use super::schedule::require;
use crate::TrainError;

/// Settings of strategy `contrastive`, which learns from pairs of texts as SetFit does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContrastiveConfig {
    /// Largest number of pairs in an epoch. Half of the pairs are of texts of the same class, and the
    /// rarer kind is repeated; by default 64 texts of each of two classes are all paired.
    pub max_pairs: NonZeroU64,
    /// Inverse strength of the penalty on the weights of the head: scikit-learn's `C`.
    pub head_c: f64,
}

impl Default for ContrastiveConfig {
    fn default() -> Self {
        Self {
            max_pairs: const { NonZeroU64::new(8192).unwrap() },
            head_c: 1.0,
        }
    }
}

impl ContrastiveConfig {
    /// Returns whether all settings have their defaults.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<(), TrainError> {
        let c = self.head_c;
        require(c > 0.0 && c.is_finite(), "head_c", c, "a number above 0")
    }
}
