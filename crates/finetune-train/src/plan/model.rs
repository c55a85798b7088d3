//! Which model is trained, and which part of it.

use std::collections::BTreeMap;

use finetune_kernels::Precision;
use finetune_models::EncoderConfig;
use finetune_peft::{Ia3Config, LoraConfig};

use crate::{FeatureLimits, Strategy, plan::stored::Stored};

/// The name of the model of a run that starts from new weights.
const SCRATCH: &str = "scratch";

/// The base model, the part of it that is trained, and the device.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelPlan {
    /// The base model, as the user named it; `scratch` if its weights are new.
    pub name: String,
    /// Its revision on the hub; `None` is the hub's default.
    pub revision: Option<String>,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// SHA-256, by name, of the other files that decide what it computes: its configuration, its
    /// tokenizer's files and, with `adapter`, the adapter's files. Empty in plans of earlier versions.
    pub files: BTreeMap<String, String>,
    /// The encoder to train from nothing; `None` starts from a base model.
    pub scratch: Option<ScratchPlan>,
    /// Which parameters are trained.
    pub strategy: Strategy,
    /// LoRA settings, under peft's names.
    pub lora: Option<LoraConfig>,
    /// (IA)³ settings, under peft's names.
    pub ia3: Option<Ia3Config>,
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
            scratch: None,
            strategy: Strategy::default(),
            lora: None,
            ia3: None,
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

impl ModelPlan {
    /// Makes the run start from new weights.
    pub fn start_from_scratch(&mut self, scratch: ScratchPlan) {
        self.name = SCRATCH.into();
        self.scratch = Some(scratch);
    }
}

/// An encoder that is trained from nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct ScratchPlan {
    /// The encoder.
    pub encoder: EncoderConfig,
    /// The directory of the tokenizer.
    pub tokenizer: String,
}

impl ScratchPlan {
    /// The default learning rate. New weights have further to go than pretrained ones.
    pub const LEARNING_RATE: f64 = 1e-3;
}

/// `tokenizer` and `encoder`, which are set together or not at all.
impl Stored<(String, Option<EncoderConfig>)> for Option<ScratchPlan> {
    fn into_file(self) -> (String, Option<EncoderConfig>) {
        match self {
            Some(scratch) => (scratch.tokenizer, Some(scratch.encoder)),
            None => (String::new(), None),
        }
    }

    fn from_file(
        (tokenizer, encoder): (String, Option<EncoderConfig>),
        _: &[&str],
    ) -> Result<Self, String> {
        match (tokenizer.is_empty(), encoder) {
            (false, Some(encoder)) => Ok(Some(ScratchPlan { encoder, tokenizer })),
            (true, None) => Ok(None),
            (false, None) => Err("tokenizer is set, but encoder is not".into()),
            (true, Some(_)) => Err("encoder is set, but tokenizer is not".into()),
        }
    }
}
