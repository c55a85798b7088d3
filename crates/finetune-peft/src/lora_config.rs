//! LoRA's settings, with peft's names and meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{PeftError, matching::Targets};

/// peft's `LoraConfig` (0.21), as a TOML table and as `adapter_config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraConfig {
    /// Rank of the update.
    pub r: usize,
    /// The update is scaled by `lora_alpha / r`.
    pub lora_alpha: f64,
    /// Probability with which an input feature of the update is dropped.
    pub lora_dropout: f64,
    /// The linear layers that get an update; absent: peft's choice for the model's family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_modules: Option<Targets>,
    /// Layers that get none, though they are targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_modules: Option<Targets>,
    /// Which biases are trained.
    pub bias: Bias,
    /// Scale by `lora_alpha / √r` (Kalajdzievski 2023).
    pub use_rslora: bool,
    /// Learn the length of each output's weights apart from their direction (Liu et al. 2024).
    pub use_dora: bool,
    /// Modules that are trained whole and saved with the adapter, matched by the end of their
    /// names, also of modules that hold others (`pooler`). A sequence classifier's `classifier` and
    /// `score` always are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules_to_save: Option<Vec<String>>,
    /// Numbers of the layers that get an update; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers_to_transform: Option<OneOrMany<usize>>,
    /// Name of the list that `layers_to_transform` counts in, such as `layer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers_pattern: Option<OneOrMany<String>>,
    /// Other ranks for some layers: regular expression at the end of the name → `r`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rank_pattern: BTreeMap<String, usize>,
    /// Other alphas for some layers: regular expression at the end of the name → `lora_alpha`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub alpha_pattern: BTreeMap<String, f64>,
    /// How the update begins.
    pub init_lora_weights: Init,
    /// Whether the base model's head is used as it is, where peft's `task_type` is null; else it is
    /// trained whole and saved with the adapter.
    #[serde(skip)]
    pub keeps_head: bool,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            r: 8,
            lora_alpha: 8.0,
            lora_dropout: 0.0,
            target_modules: None,
            exclude_modules: None,
            bias: Bias::None,
            use_rslora: false,
            use_dora: false,
            modules_to_save: None,
            layers_to_transform: None,
            layers_pattern: None,
            rank_pattern: BTreeMap::new(),
            alpha_pattern: BTreeMap::new(),
            init_lora_weights: Init::KaimingUniform,
            keeps_head: false,
        }
    }
}

impl LoraConfig {
    /// The keys of the TOML table.
    pub const KEYS: [&str; 14] = [
        "r",
        "lora_alpha",
        "lora_dropout",
        "target_modules",
        "exclude_modules",
        "bias",
        "use_rslora",
        "use_dora",
        "modules_to_save",
        "layers_to_transform",
        "layers_pattern",
        "rank_pattern",
        "alpha_pattern",
        "init_lora_weights",
    ];

    /// Rank `r` and factor `lora_alpha`, else peft's defaults.
    pub fn new(r: usize, lora_alpha: f64) -> Self {
        Self {
            r,
            lora_alpha,
            ..Self::default()
        }
    }

    /// The same configuration with the layers of these names as targets.
    pub fn targets<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        Self {
            target_modules: Some(Targets::Names(names.into_iter().map(Into::into).collect())),
            ..self
        }
    }

    /// Refuses what a fresh adapter cannot begin with.
    ///
    /// # Errors
    /// The errors of [`check`](Self::check), and an `init_lora_weights` that can only be read.
    pub fn check_fresh(&self) -> Result<(), PeftError> {
        self.init_lora_weights.check_fresh()?;
        self.check()
    }

    /// Refuses values that no model can use.
    ///
    /// # Errors
    /// A value out of its range; the key is named.
    pub fn check(&self) -> Result<(), PeftError> {
        let listed = |lists: &OneOrMany<String>| !lists.as_slice().is_empty();
        if self.layers_pattern.as_ref().is_some_and(listed) && self.layers_to_transform.is_none() {
            return Err(PeftError::config(
                "layers_pattern",
                "says where layers_to_transform counts, which is not set; set it, or leave layers_pattern out",
            ));
        }
        let ranks = self.rank_pattern.values().chain([&self.r]);
        if let Some(rank) = ranks.into_iter().find(|&&rank| rank == 0) {
            return Err(PeftError::config(
                "r",
                format!("{rank} is no rank; expected at least 1, such as 8"),
            ));
        }
        let mut alphas = self.alpha_pattern.values().chain([&self.lora_alpha]);
        if let Some(alpha) = alphas.find(|&&alpha| !(alpha > 0.0 && alpha.is_finite())) {
            return Err(PeftError::config(
                "lora_alpha",
                format!("{alpha} is not a number above 0"),
            ));
        }
        if !(0.0..1.0).contains(&self.lora_dropout) {
            return Err(PeftError::config(
                "lora_dropout",
                format!("{} is not in [0, 1)", self.lora_dropout),
            ));
        }
        Ok(())
    }
}

/// Which biases are trained and saved beside the adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bias {
    /// No bias.
    #[default]
    None,
    /// All biases of the model, norms included.
    All,
    /// The biases of layers with an update.
    LoraOnly,
}

/// One value or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One value.
    One(T),
    /// Several values.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All values.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// Initial values of the update: peft's `init_lora_weights`. An adapter that is read has its own
/// values; what counts then is whether the base's weights were changed for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "InitValue", into = "InitValue")]
pub enum Init {
    /// `A` Kaiming-uniform, `B` zero (`true`).
    #[default]
    KaimingUniform,
    /// Both random (`false`); read only.
    Random,
    /// `A` normal, `B` zero (`"gaussian"`).
    Gaussian,
    /// The weight's largest singular values, which are taken out of it (`"pissa"`).
    Pissa,
    /// The first columns of the weight's QR decomposition, which are taken out of it (`"olora"`).
    Olora,
    /// From activations (`"eva"`); read only.
    Eva,
    /// `A` and `B` orthogonal to each other (`"orthogonal"`); read only.
    Orthogonal,
    /// The weight's smallest singular vectors, and `B` is not trained (`"mica"`); read only.
    Mica,
}

/// The names that a fresh adapter can begin with, for messages.
const FRESH: &str = "true, \"gaussian\", \"pissa\" or \"olora\"";

impl Init {
    /// Whether something is taken out of the base's weights for it.
    pub fn changes_base(self) -> bool {
        matches!(self, Self::Pissa | Self::Olora)
    }

    /// Refuses what a fresh adapter cannot begin with here.
    pub(crate) fn check_fresh(self) -> Result<(), PeftError> {
        match self {
            Self::KaimingUniform | Self::Gaussian | Self::Pissa | Self::Olora => Ok(()),
            Self::Random | Self::Eva | Self::Orthogonal | Self::Mica => {
                let name = serde_json::json!(self);
                Err(PeftError::config(
                    "init_lora_weights",
                    format!(
                        "adapters that peft began with {name} can be opened, but none is begun so here; expected {FRESH}"
                    ),
                ))
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum InitValue {
    Flag(bool),
    Name(String),
}

impl TryFrom<InitValue> for Init {
    type Error = String;

    fn try_from(value: InitValue) -> Result<Self, String> {
        let name = match value {
            InitValue::Flag(true) => return Ok(Self::KaimingUniform),
            InitValue::Flag(false) => return Ok(Self::Random),
            InitValue::Name(name) => name,
        };
        // peft ignores the case of some names and not of others.
        let lower = name.to_lowercase();
        match (name.as_str(), lower.as_str()) {
            (_, "gaussian") => Ok(Self::Gaussian),
            (_, "olora") => Ok(Self::Olora),
            (_, "mica") => Ok(Self::Mica),
            ("pissa", _) => Ok(Self::Pissa),
            ("eva", _) => Ok(Self::Eva),
            ("orthogonal", _) => Ok(Self::Orthogonal),
            _ => Err(format!(
                "init_lora_weights = \"{name}\" is not supported{}",
                match why_not(&name) {
                    Some(reason) => format!(
                        ": {reason}. Merge the adapter in the program that trained it, with peft's merge_and_unload(), and open the merged model"
                    ),
                    None => format!("; expected {FRESH}"),
                }
            )),
        }
    }
}

/// Why an adapter that peft began in this way cannot be read.
fn why_not(name: &str) -> Option<&'static str> {
    match name {
        "corda" => Some(
            "what was taken out of the base's weights depends on the data that the training began with, and peft cannot open it either",
        ),
        "loftq" => Some("it belongs to base weights that peft quantised"),
        "lora_ga" => Some(
            "what was taken out of the base's weights depends on gradients that are not saved with it",
        ),
        name if name.starts_with("pissa_niter_") => Some(
            "peft finds what it takes out of the base's weights with random numbers, anew each time",
        ),
        _ => None,
    }
}

impl From<Init> for InitValue {
    fn from(init: Init) -> Self {
        let name = match init {
            Init::KaimingUniform => return Self::Flag(true),
            Init::Random => return Self::Flag(false),
            Init::Gaussian => "gaussian",
            Init::Pissa => "pissa",
            Init::Olora => "olora",
            Init::Eva => "eva",
            Init::Orthogonal => "orthogonal",
            Init::Mica => "mica",
        };
        Self::Name(name.into())
    }
}
