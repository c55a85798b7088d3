//! Limits on the stored features of frozen layers.

use serde::{Deserialize, Serialize};

/// Limits on stored features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureLimits {
    /// Maximum number of bytes in memory.
    pub memory_bytes: u64,
    /// Maximum number of bytes in a temporary file.
    pub disk_bytes: u64,
}

impl Default for FeatureLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 1 << 30,
            disk_bytes: 20 << 30,
        }
    }
}
