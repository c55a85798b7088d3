//! Which model is trained, and which part of it.

use std::collections::BTreeMap;

use finetune_kernels::Precision;
use finetune_peft::{Ia3Config, LoraConfig};

use crate::{ContrastiveConfig, FeatureLimits, Strategy};

/// The base model, the part of it that is trained, and the device.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelPlan {
    /// The base model, as the user named it.
    pub name: String,
    /// Its revision on the hub; `None` is the hub's default.
    pub revision: Option<String>,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// SHA-256, by name, of the other files that decide what it computes: its configuration, its
    /// tokenizer's files and, with `adapter`, the adapter's files. Empty in plans of earlier versions.
    pub files: BTreeMap<String, String>,
    /// Which parameters are trained.
    pub strategy: Strategy,
    /// LoRA settings, under peft's names.
    pub lora: Option<LoraConfig>,
    /// (IA)³ settings, under peft's names.
    pub ia3: Option<Ia3Config>,
    /// Settings of contrastive training.
    pub contrastive: ContrastiveConfig,
    /// Directory of an existing adapter to train further; `None` creates a new one.
    pub adapter: Option<String>,
    /// Whether the classifier is a new one even if the base model or adapter has one for these labels.
    pub reset_head: bool,
    /// Whether layers below the lowest trained one use dropout, as they do in transformers. Without it
    /// they are a fixed function of the text, and the head learns from the features that prediction
    /// will see.
    pub frozen_dropout: bool,
    /// Epochs between unfreezing one layer and the next, for `gradual`.
    pub unfreeze_every: f64,
    /// How many features of frozen layers are kept.
    pub feature_cache: FeatureLimits,
    /// Name of the device.
    pub device: String,
    /// The type in which the encoder's matrix multiplications are computed.
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
            contrastive: ContrastiveConfig::default(),
            adapter: None,
            reset_head: false,
            frozen_dropout: false,
            unfreeze_every: 0.5,
            feature_cache: FeatureLimits::default(),
            device: "cpu".into(),
            precision: Precision::F32,
        }
    }
}
