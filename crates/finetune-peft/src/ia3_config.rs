//! IA³'s settings, with peft's names and meaning.

use serde::{Deserialize, Serialize};

use crate::matching::Targets;

/// peft's `IA3Config` (0.21).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ia3Config {
    /// The linear layers that are scaled. Where there are none, they are peft's choice for BERT and
    /// RoBERTa (`key`, `value`, `output.dense`), and the corresponding layers of other families
    /// (`k_lin`, `v_lin`, `ffn.lin2` of DistilBERT).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_modules: Option<Targets>,
    /// The layers whose input is scaled instead of their output. Where there are none, it is the last
    /// of the three above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedforward_modules: Option<Targets>,
    /// Layers that are not scaled, though they are targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_modules: Option<Targets>,
    /// Modules that are trained whole, as in [`LoraConfig`](crate::LoraConfig).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules_to_save: Option<Vec<String>>,
    /// Whether the base model's head is used as it is, as in [`LoraConfig`](crate::LoraConfig).
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
