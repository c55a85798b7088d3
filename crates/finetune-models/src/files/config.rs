//! Reads and writes `config.json`: strictly where a key affects the computation, keeping all others.

use std::{collections::HashMap, path::Path};

use finetune_kernels::{Activation, Pooling};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use finetune_task::Task;

use super::CONFIG;
use crate::{
    Component, Family, ModelError,
    family::{
        FAMILIES, HeadKind, HeadLayers, NormPlacement, PositionKind, Positions, Structure,
        TokenTypes, structure::keys as structure_keys,
    },
};

/// Limits beyond any real model. They keep products of two sizes far from overflow, and bound what is
/// allocated per layer or label before the weights are opened.
const MAX_SIZE: u64 = 1 << 28;
const MAX_LAYERS: u64 = 1000;
const MAX_LABELS: u64 = 1_000_000;

const LABEL_THRESHOLDS: &str = "label_thresholds";

/// The configuration of a sequence classifier.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The model's family.
    pub family: &'static Family,
    /// How the encoder and its head are built.
    pub structure: Structure,
    /// Number of rows of the word embedding table.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Width of the embeddings.
    pub embedding_size: usize,
    /// Number of encoder layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads, a divisor of `hidden_size`.
    pub num_attention_heads: usize,
    /// Inner width of the feed-forward block.
    pub intermediate_size: usize,
    /// Number of positions, which is that of the rows of the position embedding table if there is one; see
    /// [`longest_sequence`](Self::longest_sequence).
    pub max_position_embeddings: usize,
    /// How positions are numbered, with this model's padding token.
    pub positions: Positions,
    /// Number of rows of the token type embedding table; 0 if there is none.
    pub type_vocab_size: usize,
    /// Activation of the feed-forward block.
    pub activation: Activation,
    /// Dropout of embeddings and layers.
    pub dropout: f64,
    /// Dropout of the attention probabilities.
    pub attention_dropout: f64,
    /// Dropout before the classifier.
    pub classifier_dropout: f64,
    /// Epsilon of the layer norms.
    pub norm_epsilon: f64,
    /// Standard deviation of newly initialised weights.
    pub initializer_range: f64,
    /// The meaning of the classifier's outputs.
    pub outputs: Task,
    /// Probability from which each class of a multi-label model counts as predicted, `[outputs]`;
    /// `None` means 0.5 for all. `config.json` has them under `label_thresholds`, an object keyed by
    /// class name. transformers keeps unknown keys, so they survive its `save_pretrained`.
    pub label_thresholds: Option<Vec<f64>>,
    /// The whole JSON object, including unknown keys.
    raw: Map<String, Value>,
}

impl ModelConfig {
    /// Reads `config.json` of a model directory.
    ///
    /// # Errors
    /// Fails if the file is missing or is not a JSON object, or if a key has an unusable value.
    pub fn from_directory(directory: &Path) -> Result<Self, ModelError> {
        let path = directory.join(CONFIG);
        if !path.exists() {
            return Err(ModelError::MissingFile {
                directory: directory.into(),
                file: CONFIG,
            });
        }
        let text = std::fs::read_to_string(&path).map_err(ModelError::read(&path))?;
        Self::parse(&text, &path)
    }

    /// Parses the text of a `config.json`; `path` is used in messages only.
    ///
    /// # Errors
    /// Fails if the text is not a JSON object or a key has an unusable value; the key is named.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ModelError> {
        let raw: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| ModelError::ConfigSyntax {
                path: path.into(),
                reason: error.to_string(),
            })?;
        let reader = Reader { raw: &raw, path };
        let family = reader.family()?;
        reader.refuse_other_architectures()?;
        let keys = &family.keys;

        let dropout = reader.probability(keys.dropout, 0.1)?;
        let hidden_size = reader.size(keys.hidden_size)?;
        let config = Self {
            family,
            structure: match family.structure {
                Some(structure) => structure,
                None => reader.structure()?,
            },
            vocab_size: reader.size("vocab_size")?,
            hidden_size,
            embedding_size: match keys.embedding_size {
                Some(key) => reader.size(key)?,
                None => hidden_size,
            },
            num_hidden_layers: reader.size_up_to(keys.layers, MAX_LAYERS)?,
            num_attention_heads: reader.size(keys.heads)?,
            intermediate_size: reader.size(keys.intermediate_size)?,
            max_position_embeddings: reader.size("max_position_embeddings")?,
            positions: reader.positions(family.positions)?,
            type_vocab_size: match family.token_types {
                TokenTypes::None => 0,
                TokenTypes::OfTokenizerIfAny => reader.size_or_zero("type_vocab_size")?,
                TokenTypes::OfTokenizer | TokenTypes::Zero => reader.size("type_vocab_size")?,
            },
            activation: reader.activation(keys.activation)?,
            dropout,
            attention_dropout: reader.probability(keys.attention_dropout, 0.1)?,
            classifier_dropout: reader.probability(
                keys.classifier_dropout,
                keys.classifier_dropout_default.unwrap_or(dropout),
            )?,
            norm_epsilon: match keys.norm_epsilon {
                Some(key) => reader.positive(key, family.norm_epsilon)?,
                None => family.norm_epsilon,
            },
            initializer_range: reader.positive("initializer_range", 0.02)?,
            outputs: reader.outputs()?,
            label_thresholds: None,
            raw: Map::new(),
        };
        if !config
            .hidden_size
            .is_multiple_of(config.num_attention_heads)
        {
            return Err(reader.error(
                keys.heads,
                format!(
                    "{} heads do not divide {} = {}",
                    config.num_attention_heads, keys.hidden_size, config.hidden_size
                ),
            ));
        }
        if config.structure.positions == PositionKind::Sinusoidal
            && !config.embedding_size.is_multiple_of(2)
        {
            return Err(reader.error(
                keys.hidden_size,
                format!(
                    "{} is odd; sinusoidal positions are pairs of a sine and a cosine",
                    config.embedding_size
                ),
            ));
        }
        if config.longest_sequence() == 0 {
            return Err(reader.error(
                "max_position_embeddings",
                format!(
                    "{} leaves no position for a token, since positions begin above pad_token_id",
                    config.max_position_embeddings
                ),
            ));
        }
        let label_thresholds = reader.label_thresholds(&config.outputs)?;
        Ok(Self {
            label_thresholds,
            raw,
            ..config
        })
    }

    /// Returns the maximum number of tokens of a sequence.
    pub fn longest_sequence(&self) -> usize {
        let before = match self.positions {
            Positions::FromZero => 0,
            Positions::AfterPadding(padding) => padding as usize + 1,
        };
        self.max_position_embeddings.saturating_sub(before)
    }

    /// Returns whether the model has a component: its family's table lists it, and the model's structure
    /// and sizes do not make it superfluous.
    pub fn has(&self, component: Component) -> bool {
        let structure = &self.structure;
        let has = match component {
            Component::PositionTable => structure.positions == PositionKind::Learned,
            Component::TokenTypeTable => self.type_vocab_size > 0,
            Component::EmbeddingNorm => structure.embedding_norm,
            Component::EmbeddingProjection => self.embedding_size != self.hidden_size,
            Component::FinalNorm => structure.norm == NormPlacement::Pre,
            Component::HeadDense => structure.head.dense.is_some(),
            _ => true,
        };
        has && self.family.name_of(component, 0).is_some()
    }

    /// Returns the name of the head's final linear layer in files.
    pub fn classifier_name(&self) -> String {
        let name = self.family.name_of(Component::Classifier, 0);
        name.unwrap_or_default()
    }

    /// Returns the configuration of the same encoder with other outputs and without thresholds.
    pub fn with_outputs(self, outputs: Task) -> Self {
        Self {
            outputs,
            label_thresholds: None,
            ..self
        }
    }

    /// Returns the configuration of the same encoder with another number of layers.
    pub(crate) fn with_layers(mut self, layers: usize) -> Self {
        self.num_hidden_layers = layers;
        self.raw
            .insert(self.family.keys.layers.into(), json!(layers));
        self
    }

    /// Returns the text of `config.json` of the same files with a vocabulary of another size, in f32.
    pub(crate) fn json_with_vocabulary(&self, size: usize) -> String {
        let mut raw = self.raw.clone();
        raw.insert("vocab_size".into(), json!(size));
        raw.insert("dtype".into(), json!("float32"));
        raw.remove("torch_dtype");
        format!("{:#}\n", Value::Object(raw))
    }

    /// Returns the text of `config.json` for a saved classifier: every key that was read, updated with
    /// the architecture, the labels and the problem type of this model.
    pub fn to_json(&self) -> String {
        let mut raw = self.saved(self.family.architecture);
        let names = self.outputs.names();
        let id2label: Map<_, _> = names
            .iter()
            .enumerate()
            .map(|(id, name)| (id.to_string(), json!(name)))
            .collect();
        let label2id: Map<_, _> = names
            .iter()
            .enumerate()
            .map(|(id, name)| (name.clone(), json!(id)))
            .collect();
        raw.insert("id2label".into(), id2label.into());
        raw.insert("label2id".into(), label2id.into());
        raw.insert(
            "problem_type".into(),
            json!(self.outputs.problem_type().name()),
        );
        raw.remove(LABEL_THRESHOLDS);
        if let Some(thresholds) = &self.label_thresholds {
            let named = names.iter().cloned().zip(thresholds);
            let named: Map<_, _> = named.map(|(name, value)| (name, json!(value))).collect();
            raw.insert(LABEL_THRESHOLDS.into(), named.into());
        }
        format!("{:#}\n", Value::Object(raw))
    }

    /// Returns the text of `config.json` for a saved masked language model: every key that was read,
    /// except those of a classifier's outputs.
    pub fn to_masked_lm_json(&self) -> String {
        let mut raw = self.saved(self.family.masked_lm.architecture);
        for key in [
            "id2label",
            "label2id",
            "problem_type",
            LABEL_THRESHOLDS,
            // The decoder is always tied, which is transformers' default.
            "tie_word_embeddings",
        ] {
            raw.remove(key);
        }
        format!("{:#}\n", Value::Object(raw))
    }

    /// Returns the keys that were read, updated for this architecture, without the number of labels.
    fn saved(&self, architecture: &str) -> Map<String, Value> {
        let mut raw = self.raw.clone();
        raw.insert("architectures".into(), json!([architecture]));
        raw.insert("model_type".into(), json!(self.family.model_type));
        raw.insert("dtype".into(), json!("float32"));
        raw.remove("torch_dtype");
        raw.remove("num_labels");
        raw
    }
}

/// Reads keys and names them in errors.
struct Reader<'a> {
    raw: &'a Map<String, Value>,
    path: &'a Path,
}

impl Reader<'_> {
    fn error(&self, key: &str, problem: impl Into<String>) -> ModelError {
        ModelError::Config {
            path: self.path.into(),
            key: key.into(),
            problem: problem.into(),
        }
    }

    /// Returns the value of a key; null counts as absent, as in transformers.
    fn get(&self, key: &str) -> Option<&Value> {
        self.raw.get(key).filter(|value| !value.is_null())
    }

    fn family(&self) -> Result<&'static Family, ModelError> {
        let known = || {
            let names: Vec<_> = FAMILIES.iter().map(|family| family.model_type).collect();
            names.join(", ")
        };
        match self.get("model_type") {
            None => Err(self.error(
                "model_type",
                format!("missing; expected one of {}", known()),
            )),
            Some(value) => value
                .as_str()
                .and_then(Family::from_model_type)
                .ok_or_else(|| {
                    self.error(
                        "model_type",
                        format!("{value} is not supported; expected one of {}", known()),
                    )
                }),
        }
    }

    /// Refuses settings that this encoder does not implement.
    fn refuse_other_architectures(&self) -> Result<(), ModelError> {
        if let Some(kind) = self.get("position_embedding_type")
            && kind != "absolute"
        {
            let problem = format!("{kind} is not supported; expected \"absolute\"");
            return Err(self.error("position_embedding_type", problem));
        }
        for key in ["is_decoder", "add_cross_attention", "sinusoidal_pos_embds"] {
            if self.get(key).is_some_and(|value| value != &json!(false)) {
                return Err(self.error(key, "only false is supported"));
            }
        }
        if let Some(Value::Object(pruned)) = self.get("pruned_heads")
            && !pruned.is_empty()
        {
            return Err(self.error("pruned_heads", "pruned attention heads are not supported"));
        }
        Ok(())
    }

    /// Returns the family's numbering of positions with the padding token of this model.
    fn positions(&self, family: Positions) -> Result<Positions, ModelError> {
        const KEY: &str = "pad_token_id";
        match (family, self.get(KEY)) {
            (Positions::FromZero, _) | (_, None) => Ok(family),
            (Positions::AfterPadding(_), Some(value)) => match value.as_u64() {
                Some(id) if id < MAX_SIZE => Ok(Positions::AfterPadding(id as u32)),
                _ => Err(self.error(KEY, format!("{value} is not the id of a token"))),
            },
        }
    }

    /// Reads the structure of a model whose family leaves it to `config.json`.
    fn structure(&self) -> Result<Structure, ModelError> {
        Ok(Structure {
            norm: self.choice(structure_keys::NORM)?,
            positions: self.choice(structure_keys::POSITIONS)?,
            embedding_scale: self.choice(structure_keys::EMBEDDING_SCALE)?,
            embedding_norm: self.choice(structure_keys::EMBEDDING_NORM)?,
            attention_output_dropout: self.choice(structure_keys::ATTENTION_OUTPUT_DROPOUT)?,
            feed_forward_dropout: self.probability(structure_keys::FEED_FORWARD_DROPOUT, 0.0)?,
            pooling: self.named(structure_keys::POOLING, Pooling::from_name, &Pooling::NAMES)?,
            head: HeadKind {
                dense: match self.choice(structure_keys::HEAD)? {
                    HeadLayers::Linear => None,
                    HeadLayers::Dense => Some(self.activation(structure_keys::HEAD_ACTIVATION)?),
                },
                input_dropout: false,
            },
        })
    }

    /// Reads one of the values that a key can have.
    fn choice<T: DeserializeOwned>(&self, key: &str) -> Result<T, ModelError> {
        let value = self
            .get(key)
            .cloned()
            .ok_or_else(|| self.error(key, "missing"))?;
        serde_json::from_value(value).map_err(|error| self.error(key, error.to_string()))
    }

    /// Reads one of several things that are found by their `names`.
    fn named<T>(
        &self,
        key: &str,
        from_name: fn(&str) -> Option<T>,
        names: &[&str],
    ) -> Result<T, ModelError> {
        let known = names.join(", ");
        match self.get(key) {
            None => Err(self.error(key, format!("missing; expected one of {known}"))),
            Some(value) => value.as_str().and_then(from_name).ok_or_else(|| {
                self.error(
                    key,
                    format!("{value} is not supported; expected one of {known}"),
                )
            }),
        }
    }

    fn size_or_zero(&self, key: &str) -> Result<usize, ModelError> {
        match self.get(key) {
            Some(value) if value.as_u64() == Some(0) => Ok(0),
            _ => self.size(key),
        }
    }

    fn size(&self, key: &str) -> Result<usize, ModelError> {
        self.size_up_to(key, MAX_SIZE)
    }

    fn size_up_to(&self, key: &str, limit: u64) -> Result<usize, ModelError> {
        match self.get(key) {
            None => Err(self.error(key, "missing; expected a positive whole number")),
            Some(value) => match value.as_u64() {
                Some(size) if (1..=limit).contains(&size) => Ok(size as usize),
                _ => Err(self.error(
                    key,
                    format!("{value} is not a whole number from 1 to {limit}"),
                )),
            },
        }
    }

    fn positive(&self, key: &str, default: f64) -> Result<f64, ModelError> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value
                .as_f64()
                .filter(|number| *number > 0.0)
                .ok_or_else(|| self.error(key, format!("{value} is not a positive number"))),
        }
    }

    fn probability(&self, key: &str, default: f64) -> Result<f64, ModelError> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value
                .as_f64()
                .filter(|number| (0.0..1.0).contains(number))
                .ok_or_else(|| self.error(key, format!("{value} is not in [0, 1)"))),
        }
    }

    fn activation(&self, key: &str) -> Result<Activation, ModelError> {
        self.named(key, Activation::from_name, &Activation::NAMES)
    }

    /// Reads the outputs as transformers does: from `id2label`, else `num_labels`, else as two labels.
    fn outputs(&self) -> Result<Task, ModelError> {
        let names = match self.get("id2label") {
            Some(Value::Object(map)) if !map.is_empty() => self.label_names(map)?,
            Some(value) => {
                let problem = format!("{value} is not an object from class number to name");
                return Err(self.error("id2label", problem));
            }
            None => {
                let count = match self.get("num_labels") {
                    Some(_) => self.size_up_to("num_labels", MAX_LABELS)?,
                    None => 2,
                };
                Task::default_names(count)
            }
        };
        match self.get("problem_type").map(Value::as_str) {
            Some(Some("regression")) => Ok(Task::Regression(names)),
            Some(Some("multi_label_classification")) => Ok(Task::MultiLabel(names)),
            Some(Some("single_label_classification")) => Ok(Task::Classes(names)),
            None if names.len() == 1 => Ok(Task::Regression(names)),
            None => Ok(Task::Classes(names)),
            Some(other) => Err(self.error(
                "problem_type",
                format!(
                    "\"{}\" is not supported; expected \"single_label_classification\", \"multi_label_classification\" or \"regression\"",
                    other.unwrap_or("?")
                ),
            )),
        }
    }

    /// Reads the `label_thresholds` of a multi-label model.
    fn label_thresholds(&self, outputs: &Task) -> Result<Option<Vec<f64>>, ModelError> {
        let (Task::MultiLabel(names), Some(found)) = (outputs, self.get(LABEL_THRESHOLDS)) else {
            return Ok(None);
        };
        let threshold = |name: &String| {
            let value = found.get(name).and_then(Value::as_f64);
            value
                .filter(|value| (0.0..=1.0).contains(value))
                .ok_or_else(|| {
                    let problem = format!("expected a probability from 0 to 1 for each class, found none for \"{name}\"");
                    self.error(LABEL_THRESHOLDS, problem)
                })
        };
        names
            .iter()
            .map(threshold)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn label_names(&self, map: &Map<String, Value>) -> Result<Vec<String>, ModelError> {
        let name_of = |id: usize| {
            let name = map.get(&id.to_string()).and_then(Value::as_str);
            name.map(str::to_string).ok_or_else(|| {
                let problem = format!(
                    "expected a name for each of the classes 0 to {}, found none for {id}",
                    map.len() - 1
                );
                self.error("id2label", problem)
            })
        };
        let names: Vec<_> = (0..map.len()).map(name_of).collect::<Result<_, _>>()?;
        let mut first = HashMap::new();
        for (id, name) in names.iter().enumerate() {
            if let Some(other) = first.insert(name, id) {
                let problem = format!(
                    "{other} and {id} are both named {name:?}; give each class a name of its own"
                );
                return Err(self.error("id2label", problem));
            }
        }
        Ok(names)
    }
}
