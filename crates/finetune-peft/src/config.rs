//! `adapter_config.json`, read and written.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::{Ia3Config, Init, LoraConfig, PeftError, files::CONFIG};

/// An adapter's configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum PeftConfig {
    /// `peft_type` LORA.
    Lora(LoraConfig),
    /// `peft_type` IA3.
    Ia3(Ia3Config),
}

/// A configuration as it stands in a file, with what the file says of the base model.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterFile {
    /// The adapter.
    pub config: PeftConfig,
    /// Name or directory of the model that it belongs to.
    pub base_model: String,
    /// Revision of that.
    pub revision: Option<String>,
}

/// Keys that say something about the file, or how peft began or ran the training, and nothing about
/// what an adapter that is read computes. `fan_in_fan_out` is for layers of another kind: peft sets it
/// right when it meets a linear layer.
const INFORMATION: [&str; 15] = [
    "auto_mapping",
    "base_model_name_or_path",
    "corda_config",
    "ensure_weight_tying",
    "eva_config",
    "fan_in_fan_out",
    "inference_mode",
    "init_ia3_weights",
    "loftq_config",
    "lora_ga_config",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "revision",
];

/// Ignored by peft too.
const RUNTIME: &str = "runtime_config";

/// Kinds of adapters that add to the input, and so cannot be merged into weights.
const PROMPTS: [&str; 7] = [
    "ADAPTION_PROMPT",
    "CARTRIDGE",
    "CPT",
    "MULTITASK_PROMPT_TUNING",
    "P_TUNING",
    "PREFIX_TUNING",
    "PROMPT_TUNING",
];

/// What to do with an adapter that cannot be read here.
const MERGE: &str = "merge it with peft, PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(directory), and open that directory";

impl AdapterFile {
    /// Reads `adapter_config.json` of an adapter's directory.
    ///
    /// # Errors
    /// A file that cannot be read, or the errors of [`parse`](Self::parse).
    pub fn read(directory: &Path) -> Result<Self, PeftError> {
        let path = directory.join(CONFIG);
        let text = std::fs::read_to_string(&path).map_err(PeftError::file("read", &path))?;
        Self::parse(&text).map_err(|error| PeftError::ConfigFile {
            path,
            problem: error.to_string(),
        })
    }

    /// Parses the text of an `adapter_config.json`. Keys that would change the computation and are
    /// not supported are errors, unless they have a value that means nothing.
    ///
    /// # Errors
    /// A text that is not such a configuration, or a key that is not supported; the key is named.
    pub fn parse(text: &str) -> Result<Self, PeftError> {
        let all: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| PeftError::config(CONFIG, error.to_string()))?;
        let text = |key: &str| all.get(key).and_then(Value::as_str).map(str::to_string);
        let kind = text("peft_type").unwrap_or_default();
        let keys: &[&str] = match kind.as_str() {
            "LORA" => &LoraConfig::KEYS,
            "IA3" => &Ia3Config::KEYS,
            other => {
                let advice = match PROMPTS.contains(&other) {
                    true => "it adds to the input and cannot be merged either, so use it with peft"
                        .into(),
                    false => format!("or {MERGE}"),
                };
                return Err(PeftError::config(
                    "peft_type",
                    format!("\"{other}\" is not supported; expected one of LORA, IA3, {advice}"),
                ));
            }
        };
        let keeps_head = match all.get("task_type") {
            None | Some(Value::Null) => true,
            Some(task) if task == "SEQ_CLS" => false,
            Some(task) => {
                return Err(PeftError::config(
                    "task_type",
                    format!(
                        "{task} is not supported; expected \"SEQ_CLS\", for which finetune makes models"
                    ),
                ));
            }
        };
        let mut own = Map::new();
        for (key, value) in &all {
            let nothing = match value {
                Value::Null | Value::Bool(false) => true,
                Value::String(text) => text.is_empty(),
                Value::Array(items) => items.is_empty(),
                Value::Object(map) => map.is_empty(),
                _ => false,
            };
            let key = key.as_str();
            let information = INFORMATION.contains(&key) || key == "task_type" || key == RUNTIME;
            if keys.contains(&key) {
                // JSON's null is TOML's absence.
                if !value.is_null() {
                    own.insert(key.into(), value.clone());
                }
            } else if !nothing && !information {
                return Err(PeftError::config(
                    key,
                    format!(
                        "{value} is not supported, and may change what the adapter computes; {MERGE}"
                    ),
                ));
            }
        }
        let own = Value::Object(own);
        let wrong = |error: serde_json::Error| PeftError::config(&kind, error.to_string());
        let config = match kind.as_str() {
            "LORA" => PeftConfig::Lora(LoraConfig {
                keeps_head,
                ..serde_json::from_value(own).map_err(wrong)?
            }),
            _ => PeftConfig::Ia3(Ia3Config {
                keeps_head,
                ..serde_json::from_value(own).map_err(wrong)?
            }),
        };
        Ok(Self {
            config,
            base_model: text("base_model_name_or_path").unwrap_or_default(),
            revision: text("revision"),
        })
    }

    /// The directory of the base model, where it is one: as named, which is how peft looks for it, else
    /// as seen from the adapter's `directory`.
    pub fn base_directory(&self, directory: &Path) -> Option<PathBuf> {
        let named = Path::new(&self.base_model);
        let places = [named.to_path_buf(), directory.join(named)];
        let mut places = places.into_iter();
        places.find(|place| !self.base_model.is_empty() && place.is_dir())
    }

    /// The text of an `adapter_config.json` that peft reads. Patterns and lists are written as they
    /// are; whatever peft chooses by the model's family should be filled in before.
    pub fn to_json(&self) -> String {
        let own = match &self.config {
            PeftConfig::Lora(config) => serde_json::to_value(config),
            PeftConfig::Ia3(config) => serde_json::to_value(config),
        };
        let mut all = match own {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        };
        // Python writes whole alphas as integers.
        if let Some(alpha) = all.get("lora_alpha").and_then(Value::as_f64)
            && alpha.fract() == 0.0
        {
            all.insert("lora_alpha".into(), json!(alpha as i64));
        }
        let kind = match &self.config {
            PeftConfig::Lora(_) => "LORA",
            PeftConfig::Ia3(_) => {
                all.insert("init_ia3_weights".into(), json!(true));
                "IA3"
            }
        };
        all.insert("peft_type".into(), json!(kind));
        let task = Some("SEQ_CLS").filter(|_| !self.config.keeps_head());
        all.insert("task_type".into(), json!(task));
        all.insert("inference_mode".into(), json!(true));
        all.insert("fan_in_fan_out".into(), json!(false));
        all.insert("base_model_name_or_path".into(), json!(self.base_model));
        all.insert("revision".into(), json!(self.revision));
        all.sort_keys();
        format!("{:#}\n", Value::Object(all))
    }
}

impl PeftConfig {
    /// Whether the base model's head is used as it is.
    pub fn keeps_head(&self) -> bool {
        match self {
            Self::Lora(config) => config.keeps_head,
            Self::Ia3(config) => config.keeps_head,
        }
    }

    /// How the update begins.
    pub(crate) fn init(&self) -> Init {
        match self {
            Self::Lora(config) => config.init_lora_weights,
            Self::Ia3(_) => Init::default(),
        }
    }

    /// Refuses an adapter that can be read, but not trained on as peft would.
    ///
    /// # Errors
    /// An adapter whose training is not supported.
    pub fn check_trainable(&self) -> Result<(), PeftError> {
        match self.init() {
            Init::Mica => Err(PeftError::config(
                "init_lora_weights",
                "\"mica\" keeps lora_B as it is in training, which is not supported; the adapter can be used and merged, and a new one trained on the merged model",
            )),
            _ => Ok(()),
        }
    }

    /// Names of modules that are trained whole, as they were given.
    pub(crate) fn modules_to_save(&self) -> &[String] {
        let modules = match self {
            Self::Lora(config) => config.modules_to_save.as_deref(),
            Self::Ia3(config) => config.modules_to_save.as_deref(),
        };
        modules.unwrap_or_default()
    }

    /// Fills in what peft chooses by the model's family, so that the file says it. peft's own table has
    /// these layers for BERT, RoBERTa, XLM-RoBERTa and ELECTRA; for CamemBERT and DistilBERT, of which
    /// it knows nothing, they are the corresponding ones.
    pub fn resolved(mut self, model_type: &str) -> Self {
        let names = |names: [&str; 2]| names.map(String::from).to_vec();
        match &mut self {
            Self::Lora(config) => {
                let targets = match model_type {
                    "distilbert" => names(["q_lin", "v_lin"]),
                    _ => names(["query", "value"]),
                };
                config
                    .target_modules
                    .get_or_insert(crate::Targets::Names(targets));
            }
            Self::Ia3(config) => {
                let targets = match model_type {
                    "distilbert" => ["k_lin", "v_lin", "ffn.lin2"],
                    _ => ["key", "value", "output.dense"],
                };
                let list = |names: &[&str]| {
                    crate::Targets::Names(names.iter().map(|&n| n.into()).collect())
                };
                config.target_modules.get_or_insert(list(&targets));
                config
                    .feedforward_modules
                    .get_or_insert(list(&targets[2..]));
            }
        }
        self
    }
}
