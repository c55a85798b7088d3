//! Which model is trained, and what of it.

use std::collections::BTreeMap;

use finetune_kernels::Precision;
use finetune_peft::{Ia3Config, LoraConfig};

use crate::{FeatureLimits, Strategy};

/// The base model, what of it is trained, and on which device.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelPlan {
    /// The base model, as named by the user.
    pub name: String,
    /// Its revision on the hub; `None`: the hub's default.
    pub revision: Option<String>,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// SHA-256 of the other files that decide what it computes, by name: its configuration and its
    /// tokenizer's, and with `adapter` those of the adapter. Empty in plans of earlier versions.
    pub files: BTreeMap<String, String>,
    /// What is trained.
    pub strategy: Strategy,
    /// LoRA's settings, with peft's names.
    pub lora: Option<LoraConfig>,
    /// IA³'s settings, with peft's names.
    pub ia3: Option<Ia3Config>,
    /// Directory of an adapter that the run goes on with; `None`: a fresh one.
    pub adapter: Option<String>,
    /// Dropout in layers below the lowest trained one, as transformers has it. Off, they are a
    /// fixed function of the text: the head learns from what prediction will see.
    pub frozen_dropout: bool,
    /// For `gradual`: epochs from one layer that is unfrozen to the next.
    pub unfreeze_every: f64,
    /// How much of what frozen layers compute is kept.
    pub feature_cache: FeatureLimits,
    /// The device's name.
    pub device: String,
    /// The type in which the encoder's matrix products are computed.
    pub precision: Precision,
}

impl Default for ModelPlan {
    fn default() -> Self {
        Self {
            name: String::new(),
            revision: None,
            sha256: String::new(),
            files: BTreeMap::new(),
            strategy: Strategy::default(),
            lora: None,
            ia3: None,
            adapter: None,
            frozen_dropout: false,
            unfreeze_every: 0.5,
            feature_cache: FeatureLimits::default(),
            device: "cpu".into(),
            precision: Precision::F32,
        }
    }
}
