//! IA³'s settings, with peft's names and meaning.

use serde::{Deserialize, Serialize};

use crate::matching::Targets;

/// peft's `IA3Config` (0.21).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ia3Config {
    /// The linear layers that are scaled; absent: peft's choice for BERT (`key`, `value`,
    /// `output.dense`), and its like for DistilBERT (`k_lin`, `v_lin`, `ffn.lin2`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_modules: Option<Targets>,
    /// Those whose input is scaled instead of their output; absent: as above, the last of the three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedforward_modules: Option<Targets>,
    /// Layers that are not scaled, though they are targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_modules: Option<Targets>,
    /// As LoRA's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules_to_save: Option<Vec<String>>,
    /// As LoRA's.
    #[serde(skip)]
    pub keeps_head: bool,
}

impl Ia3Config {
    /// The keys of the TOML table.
    pub const KEYS: [&str; 4] = [
        "target_modules",
        "feedforward_modules",
        "exclude_modules",
        "modules_to_save",
    ];
}
