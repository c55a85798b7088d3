//! The settings of LoRA, with peft's names and meanings.

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
    /// Dropout probability of the update's input.
    pub lora_dropout: f64,
    /// The linear layers that get an update; the default is peft's for the model's family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_modules: Option<Targets>,
    /// Targets that get no update after all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_modules: Option<Targets>,
    /// Which biases are trained.
    pub bias: Bias,
    /// Whether the update is scaled by `lora_alpha / √r` instead (Kalajdzievski 2023).
    pub use_rslora: bool,
    /// Whether the norm of each output's weights is learned apart from their direction (Liu et al.
    /// 2024).
    pub use_dora: bool,
    /// Modules that are fully trained and saved with the adapter. They are matched by the end of their
    /// names or of the names of modules that contain them (`pooler`). A sequence classifier's
    /// `classifier` and `score` always are among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules_to_save: Option<Vec<String>>,
    /// Indices of the layers that get an update; the default is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers_to_transform: Option<OneOrMany<usize>>,
    /// Name of the module list to which `layers_to_transform` refers, such as `layer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers_pattern: Option<OneOrMany<String>>,
    /// Ranks that differ from `r`, by a regular expression for the end of the layer's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rank_pattern: BTreeMap<String, usize>,
    /// Alphas that differ from `lora_alpha`, by a regular expression for the end of the layer's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub alpha_pattern: BTreeMap<String, f64>,
    /// How the update is initialised.
    pub init_lora_weights: Init,
    /// Whether the base model's head is used unchanged, as with a null `task_type` in peft; otherwise it
    /// is fully trained and saved with the adapter.
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

    /// Creates a configuration of rank `r` and this `lora_alpha`, with peft's defaults otherwise.
    pub fn new(r: usize, lora_alpha: f64) -> Self {
        Self {
            r,
            lora_alpha,
            ..Self::default()
        }
    }

    /// Sets the layers of these names as the targets.
    pub fn targets<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        Self {
            target_modules: Some(Targets::Names(names.into_iter().map(Into::into).collect())),
            ..self
        }
    }

    /// Checks that a fresh adapter can be created from the configuration.
    ///
    /// # Errors
    /// Fails under the conditions of [`check`](Self::check), and if `init_lora_weights` is supported for
    /// existing adapters only.
    pub fn check_fresh(&self) -> Result<(), PeftError> {
        self.init_lora_weights.check_fresh()?;
        self.check()
    }

    /// Checks the values that are invalid for any model.
    ///
    /// # Errors
    /// Fails if a value is out of range; the key is named.
    pub fn check(&self) -> Result<(), PeftError> {
        let listed = |lists: &OneOrMany<String>| !lists.as_slice().is_empty();
        if self.layers_pattern.as_ref().is_some_and(listed) && self.layers_to_transform.is_none() {
            return Err(PeftError::config(
                "layers_pattern",
                "says which list layers_to_transform refers to, but that is not set; set it, or leave layers_pattern out",
            ));
        }
        let ranks = self.rank_pattern.values().chain([&self.r]);
        if let Some(rank) = ranks.into_iter().find(|&&rank| rank == 0) {
            return Err(PeftError::config(
                "r",
                format!("{rank} is not a valid rank; expected at least 1, such as 8"),
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

/// The biases that are trained and saved along with the adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bias {
    /// No bias.
    #[default]
    None,
    /// All biases of the model, norms included.
    All,
    /// The biases of the layers with an update.
    LoraOnly,
}

/// A single value or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// A single value.
    One(T),
    /// A list of values.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// Returns all values.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// The initialisation of the update, peft's `init_lora_weights`. When an adapter is loaded, it matters
/// only whether the initialisation changed the base weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "InitValue", into = "InitValue")]
pub enum Init {
    /// `A` is Kaiming uniform and `B` zero (`true`).
    #[default]
    KaimingUniform,
    /// Both are random (`false`); for loading only.
    Random,
    /// `A` is normal and `B` zero (`"gaussian"`).
    Gaussian,
    /// The principal singular components of the weight, which are subtracted from it (`"pissa"`).
    Pissa,
    /// The first columns of the weight's QR decomposition, which are subtracted from it (`"olora"`).
    Olora,
    /// The principal components of the activations (`"eva"`); for loading only.
    Eva,
    /// `A` and `B` are orthogonal to each other (`"orthogonal"`); for loading only.
    Orthogonal,
    /// The minor singular components of the weight, with an untrained `B` (`"mica"`); for loading only.
    Mica,
}

/// The initialisations of fresh adapters, for messages.
const FRESH: &str = "true, \"gaussian\", \"pissa\" or \"olora\"";

impl Init {
    /// Returns whether the initialisation subtracts something from the base weights.
    pub fn changes_base(self) -> bool {
        matches!(self, Self::Pissa | Self::Olora)
    }

    /// Fails if a fresh adapter cannot be initialised in this way here.
    pub(crate) fn check_fresh(self) -> Result<(), PeftError> {
        match self {
            Self::KaimingUniform | Self::Gaussian | Self::Pissa | Self::Olora => Ok(()),
            Self::Random | Self::Eva | Self::Orthogonal | Self::Mica => {
                let name = serde_json::json!(self);
                Err(PeftError::config(
                    "init_lora_weights",
                    format!(
                        "adapters that peft initialised with {name} can be opened, but new ones cannot be initialised with it here; expected {FRESH}"
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
        // peft ignores case for some names only.
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

/// Explains why an adapter that peft initialised in this way cannot be loaded.
fn why_not(name: &str) -> Option<&'static str> {
    match name {
        "corda" => Some(
            "what was subtracted from the base weights depends on the data at the start of training, and peft cannot open it either",
        ),
        "loftq" => Some("it belongs to base weights that peft quantised"),
        "lora_ga" => Some(
            "what was subtracted from the base weights depends on gradients that are not saved with it",
        ),
        name if name.starts_with("pissa_niter_") => Some(
            "peft computes what it subtracts from the base weights with new random numbers each time",
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
