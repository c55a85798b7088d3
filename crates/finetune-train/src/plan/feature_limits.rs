//! How much of what frozen layers compute is kept.

use serde::{Deserialize, Serialize};

/// How much may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureLimits {
    /// Bytes in memory.
    pub memory_bytes: u64,
    /// Bytes in a temporary file.
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
