//! The settings of (IA)³, with peft's names and meanings.

use serde::{Deserialize, Serialize};

use crate::matching::Targets;

/// peft's `IA3Config` (0.21).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ia3Config {
    /// The linear layers that are scaled. The default is peft's for BERT and RoBERTa (`key`, `value`,
    /// `output.dense`), and the corresponding layers of other families (`k_lin`, `v_lin`, `ffn.lin2` of
    /// DistilBERT).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_modules: Option<Targets>,
    /// The layers whose input is scaled instead of their output. The default is the last of the three
    /// above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedforward_modules: Option<Targets>,
    /// Targets that are not scaled after all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_modules: Option<Targets>,
    /// Modules that are fully trained, as in [`LoraConfig`](crate::LoraConfig).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules_to_save: Option<Vec<String>>,
    /// Whether the base model's head is used unchanged, as in [`LoraConfig`](crate::LoraConfig).
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
