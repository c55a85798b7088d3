//! Reads and writes `adapter_config.json`.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::{Ia3Config, Init, LoraConfig, PeftError, files::CONFIG};

/// An adapter's configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum PeftConfig {
    /// A `peft_type` of LORA.
    Lora(LoraConfig),
    /// A `peft_type` of IA3.
    Ia3(Ia3Config),
}

/// The content of an `adapter_config.json`: a configuration and a reference to the base model.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterFile {
    /// The adapter's configuration.
    pub config: PeftConfig,
    /// Name or directory of the base model.
    pub base_model: String,
    /// Revision of the base model.
    pub revision: Option<String>,
}

/// Keys that describe the file or how peft initialised and ran the training, and do not affect what a
/// loaded adapter computes. `fan_in_fan_out` concerns other kinds of layers: peft corrects it for linear
/// layers.
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

/// A key that peft ignores when it loads an adapter.
const RUNTIME: &str = "runtime_config";

/// Adapter types that extend the input and therefore cannot be merged into weights.
const PROMPTS: [&str; 7] = [
    "ADAPTION_PROMPT",
    "CARTRIDGE",
    "CPT",
    "MULTITASK_PROMPT_TUNING",
    "P_TUNING",
    "PREFIX_TUNING",
    "PROMPT_TUNING",
];

/// Advice for adapters that cannot be read here.
const MERGE: &str = "merge it with peft, PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(directory), and open that directory";

impl AdapterFile {
    /// Reads `adapter_config.json` of an adapter's directory.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or under the conditions of [`parse`](Self::parse).
    pub fn read(directory: &Path) -> Result<Self, PeftError> {
        let path = directory.join(CONFIG);
        let text = std::fs::read_to_string(&path).map_err(PeftError::file("read", &path))?;
        Self::parse(&text).map_err(|error| PeftError::ConfigFile {
            path,
            problem: error.to_string(),
        })
    }

    /// Parses the text of an `adapter_config.json`.
    ///
    /// # Errors
    /// Fails if the text is not such a configuration, or if an unsupported key that may change the
    /// computation is set (to anything but null, false or an empty value); the key is named.
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
                // A null in JSON corresponds to a missing key in TOML.
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

    /// Finds the directory of the base model, if its name is one: relative to the working directory, as
    /// peft looks for it, else relative to the adapter's `directory`.
    pub fn base_directory(&self, directory: &Path) -> Option<PathBuf> {
        let named = Path::new(&self.base_model);
        let places = [named.to_path_buf(), directory.join(named)];
        let mut places = places.into_iter();
        places.find(|place| !self.base_model.is_empty() && place.is_dir())
    }

    /// Returns the text of an `adapter_config.json` that peft reads. Patterns and lists are written as
    /// they are; peft's defaults for the model's family should be [filled in](PeftConfig::resolved)
    /// before.
    pub fn to_json(&self) -> String {
        let own = match &self.config {
            PeftConfig::Lora(config) => serde_json::to_value(config),
            PeftConfig::Ia3(config) => serde_json::to_value(config),
        };
        let mut all = match own {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        };
        // peft writes whole alphas as integers.
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
    /// Returns whether the base model's head is used unchanged.
    pub fn keeps_head(&self) -> bool {
        match self {
            Self::Lora(config) => config.keeps_head,
            Self::Ia3(config) => config.keeps_head,
        }
    }

    /// Returns how the adapter is initialised.
    pub(crate) fn init(&self) -> Init {
        match self {
            Self::Lora(config) => config.init_lora_weights,
            Self::Ia3(_) => Init::default(),
        }
    }

    /// Checks that the adapter can be trained further as peft would.
    ///
    /// # Errors
    /// Fails if training this kind of adapter is not supported.
    pub fn check_trainable(&self) -> Result<(), PeftError> {
        match self.init() {
            Init::Mica => Err(PeftError::config(
                "init_lora_weights",
                "\"mica\" keeps lora_B frozen in training, which is not supported; the adapter can be used and merged, and a new one trained on the merged model",
            )),
            _ => Ok(()),
        }
    }

    /// Returns the names of fully trained modules as they were given.
    pub(crate) fn modules_to_save(&self) -> &[String] {
        let modules = match self {
            Self::Lora(config) => config.modules_to_save.as_deref(),
            Self::Ia3(config) => config.modules_to_save.as_deref(),
        };
        modules.unwrap_or_default()
    }

    /// Fills in the default targets of the model's family, so that the file states them. Those of BERT,
    /// RoBERTa, XLM-RoBERTa and ELECTRA are peft's; for CamemBERT and DistilBERT, which peft's table
    /// lacks, and for our own encoders they are the corresponding layers.
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
                    "finetune" => ["key", "value", "linear2"],
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Bias, OneOrMany, Targets};

    fn lora(config: LoraConfig) -> AdapterFile {
        AdapterFile {
            config: PeftConfig::Lora(config),
            base_model: "base".into(),
            revision: Some("main".into()),
        }
    }

    /// The message about a LoRA configuration in which `key` has this value.
    fn refusal(key: &str, value: Value) -> String {
        let mut json = json!({ "peft_type": "LORA", "task_type": "SEQ_CLS", "r": 4 });
        json[key] = value;
        AdapterFile::parse(&json.to_string())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn every_setting_is_written_and_read_back() {
        let names = |name: &str| Some(Targets::Names(vec![name.into()]));
        let full = LoraConfig {
            r: 3,
            lora_alpha: 4.5,
            lora_dropout: 0.25,
            target_modules: Some(Targets::Pattern(".*query".into())),
            exclude_modules: names("layer.0.query"),
            bias: Bias::LoraOnly,
            use_rslora: true,
            use_dora: true,
            modules_to_save: Some(vec!["pooler".into()]),
            layers_to_transform: Some(OneOrMany::Many(vec![0, 2])),
            layers_pattern: Some(OneOrMany::One("layer".into())),
            rank_pattern: [("layer.1.query".to_string(), 7)].into(),
            alpha_pattern: [("value".to_string(), 2.0)].into(),
            init_lora_weights: Init::Gaussian,
            keeps_head: false,
        };
        let json: Value = serde_json::from_str(&lora(full.clone()).to_json()).unwrap();
        for key in LoraConfig::KEYS {
            assert!(!json[key].is_null(), "{key} in {json}");
        }
        let ia3 = AdapterFile {
            config: PeftConfig::Ia3(Ia3Config {
                target_modules: names("key"),
                feedforward_modules: names("key"),
                exclude_modules: names("layer.0.key"),
                modules_to_save: Some(vec!["pooler".into()]),
                keeps_head: true,
            }),
            ..lora(full.clone())
        };
        let json: Value = serde_json::from_str(&ia3.to_json()).unwrap();
        for key in Ia3Config::KEYS {
            assert!(!json[key].is_null(), "{key} in {json}");
        }
        for file in [lora(full), lora(LoraConfig::default()), ia3] {
            assert_eq!(AdapterFile::parse(&file.to_json()).unwrap(), file);
        }
    }

    /// Python writes some floating-point values as integers.
    fn as_floats(value: &Value) -> Value {
        match value {
            Value::Number(number) => json!(number.as_f64()),
            Value::Object(map) => {
                let floats = map
                    .iter()
                    .map(|(key, value)| (key.clone(), as_floats(value)));
                Value::Object(floats.collect())
            }
            other => other.clone(),
        }
    }

    /// The files that peft wrote for the parity tests, without keys that are null or empty.
    #[test]
    fn files_of_peft_are_written_back_with_the_same_settings() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/peft");
        let mut count = 0;
        for entry in fs::read_dir(fixtures).unwrap() {
            let directory = entry.unwrap().path();
            let Ok(text) = fs::read_to_string(directory.join("adapter_config.json")) else {
                continue;
            };
            count += 1;
            let file = AdapterFile::read(&directory).unwrap();
            let settings = |text: &str| -> Map<String, Value> {
                let all: Map<String, Value> = serde_json::from_str(text).unwrap();
                let keys = LoraConfig::KEYS.iter().chain(&Ia3Config::KEYS);
                let keys = keys.chain(&["peft_type", "task_type", "base_model_name_or_path"]);
                let is_set =
                    |value: &Value| !value.is_null() && value != &json!({}) && value != &json!([]);
                keys.filter_map(|key| Some((key.to_string(), as_floats(all.get(*key)?))))
                    .filter(|(_, value)| is_set(value))
                    .collect()
            };
            assert_eq!(settings(&file.to_json()), settings(&text), "{directory:?}");
        }
        assert!(count > 20, "{count} fixtures");
    }

    #[test]
    fn unknown_keys_are_refused_by_name_once_they_are_set() {
        for nothing in [json!(null), json!(false), json!(""), json!([]), json!({})] {
            let json = json!({ "peft_type": "LORA", "task_type": "SEQ_CLS", "new_key": nothing });
            let file = AdapterFile::parse(&json.to_string()).unwrap();
            assert_eq!(file.config, PeftConfig::Lora(LoraConfig::default()));
        }
        for (key, value) in [
            ("new_key", json!(1)),
            ("lora_bias", json!(true)),
            ("use_qalora", json!(true)),
            ("target_parameters", json!(["weight"])),
        ] {
            let error = refusal(key, value);
            assert!(error.starts_with(&format!("{key}: ")), "{error}");
            assert!(error.contains("merge_and_unload"), "{error}");
        }
        // The same in TOML tables.
        let unknown = serde_json::from_value::<LoraConfig>(json!({ "rank": 8 }));
        assert!(unknown.unwrap_err().to_string().contains("`rank`"));
        let unknown = serde_json::from_value::<Ia3Config>(json!({ "r": 8 }));
        assert!(unknown.unwrap_err().to_string().contains("`r`"));
    }

    #[test]
    fn other_kinds_of_adapters_and_tasks_are_refused() {
        let merged = refusal("peft_type", json!("LOHA"));
        assert!(
            merged.contains("\"LOHA\"") && merged.contains("merge_and_unload"),
            "{merged}"
        );
        let prompt = refusal("peft_type", json!("PROMPT_TUNING"));
        assert!(prompt.contains("cannot be merged") && !prompt.contains("merge_and_unload"));
        let task = refusal("task_type", json!("TOKEN_CLS"));
        assert!(task.starts_with("task_type: \"TOKEN_CLS\""), "{task}");
        assert!(refusal("r", json!("four")).contains("four"));
        assert!(AdapterFile::parse("[]").is_err());
    }

    #[test]
    fn only_a_null_task_keeps_the_head() {
        for (task, keeps) in [(json!(null), true), (json!("SEQ_CLS"), false)] {
            let json = json!({ "peft_type": "IA3", "task_type": task });
            let file = AdapterFile::parse(&json.to_string()).unwrap();
            assert_eq!(file.config.keeps_head(), keeps);
            let written: Value = serde_json::from_str(&file.to_json()).unwrap();
            assert_eq!(written["task_type"], json["task_type"]);
        }
    }

    #[test]
    fn initialisations_are_refused_where_they_cannot_be_used() {
        for (name, reason) in [
            ("corda", "depends on the data"),
            ("loftq", "quantised"),
            ("lora_ga", "gradients"),
            ("pissa_niter_4", "random numbers"),
            ("PiSSA", "expected true"),
        ] {
            let error = refusal("init_lora_weights", json!(name));
            assert!(error.contains(name) && error.contains(reason), "{error}");
        }
        for (value, is_fresh, is_trainable) in [
            (json!(true), true, true),
            (json!(false), false, true),
            (json!("Gaussian"), true, true),
            (json!("pissa"), true, true),
            (json!("OLoRA"), true, true),
            (json!("eva"), false, true),
            (json!("orthogonal"), false, true),
            (json!("mica"), false, false),
        ] {
            let json = json!({ "peft_type": "LORA", "init_lora_weights": value });
            let config = AdapterFile::parse(&json.to_string()).unwrap().config;
            assert_eq!(config.init().check_fresh().is_ok(), is_fresh, "{value}");
            assert_eq!(config.check_trainable().is_ok(), is_trainable, "{value}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        let fresh = || LoraConfig::new(4, 8.0);
        assert!(fresh().check_fresh().is_ok());
        let pattern = |rank| [("query".to_string(), rank)].into();
        for (config, key) in [
            (LoraConfig { r: 0, ..fresh() }, "r"),
            (
                LoraConfig {
                    rank_pattern: pattern(0),
                    ..fresh()
                },
                "r",
            ),
            (
                LoraConfig {
                    lora_alpha: 0.0,
                    ..fresh()
                },
                "lora_alpha",
            ),
            (
                LoraConfig {
                    lora_alpha: f64::NAN,
                    ..fresh()
                },
                "lora_alpha",
            ),
            (
                LoraConfig {
                    lora_dropout: 1.0,
                    ..fresh()
                },
                "lora_dropout",
            ),
            (
                LoraConfig {
                    lora_dropout: -0.1,
                    ..fresh()
                },
                "lora_dropout",
            ),
            (
                LoraConfig {
                    layers_pattern: Some(OneOrMany::One("layer".into())),
                    ..fresh()
                },
                "layers_pattern",
            ),
            (
                LoraConfig {
                    init_lora_weights: Init::Eva,
                    ..fresh()
                },
                "init_lora_weights",
            ),
        ] {
            let error = config.check_fresh().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{key}: ")), "{error}");
        }
    }

    #[test]
    fn defaults_depend_on_the_family() {
        for (family, lora, ia3) in [
            ("roberta", "[\"query\", \"value\"]", "[\"output.dense\"]"),
            ("distilbert", "[\"q_lin\", \"v_lin\"]", "[\"ffn.lin2\"]"),
        ] {
            let PeftConfig::Lora(found) = PeftConfig::Lora(LoraConfig::default()).resolved(family)
            else {
                panic!("it is still LoRA");
            };
            assert_eq!(found.target_modules.unwrap().to_string(), lora);
            let PeftConfig::Ia3(found) = PeftConfig::Ia3(Ia3Config::default()).resolved(family)
            else {
                panic!("it is still (IA)³");
            };
            assert_eq!(found.feedforward_modules.unwrap().to_string(), ia3);
        }
        let own = LoraConfig::default().targets(["key"]);
        let own = PeftConfig::Lora(own);
        assert_eq!(own.clone().resolved("bert"), own);
    }

    #[test]
    fn the_base_is_found_beside_the_adapter() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join("model")).unwrap();
        let adapter = parent.path().join("adapter");
        let named = |base: &str| AdapterFile {
            base_model: base.into(),
            ..lora(LoraConfig::default())
        };
        let found = named("../model").base_directory(&adapter);
        assert_eq!(found, None, "the adapter's directory does not exist");
        fs::create_dir(&adapter).unwrap();
        let found = named("../model").base_directory(&adapter);
        assert_eq!(found, Some(adapter.join("../model")));
        let whole = parent.path().join("model");
        assert_eq!(
            named(whole.to_str().unwrap()).base_directory(&adapter),
            Some(whole)
        );
        assert_eq!(named("").base_directory(&adapter), None);
    }
}
