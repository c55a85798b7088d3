//! The description of a new encoder, from which the configuration of a model follows.

mod preset;
mod settings;
#[cfg(test)]
mod tests;

use std::path::Path;

use finetune_kernels::{Activation, Pooling};
use finetune_task::Task;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use self::{preset::Preset, settings::EncoderSettings};
use crate::{
    Family, ModelConfig, ModelError,
    family::{
        EmbeddingScale, FAMILIES, FINETUNE, HeadKind, HeadLayers, NormPlacement, PositionKind,
        Positions, Structure, TokenTypes,
    },
};

/// A complete description of a new encoder and its head, without a vocabulary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Number of attention heads, a divisor of `hidden_size`.
    pub heads: usize,
    /// Inner width of the feed-forward block.
    pub feed_forward_size: usize,
    /// Activation of the feed-forward block.
    pub activation: Activation,
    /// Where the layer norms are.
    pub norm: NormPlacement,
    /// Where the embeddings of positions come from; `sinusoidal` needs an even `hidden_size`.
    pub positions: PositionKind,
    /// The factor of the word embeddings.
    pub embedding_scale: EmbeddingScale,
    /// Whether the summed embeddings are normalized.
    pub embedding_norm: bool,
    /// Number of token types (of the first and the second text of a pair); 0 for none.
    pub token_types: usize,
    /// How the hidden states of a text become the input of the head.
    pub pooling: Pooling,
    /// The layers of the head.
    pub head: HeadLayers,
    /// Activation of the head's dense layer, if it has one.
    pub head_activation: Activation,
    /// Dropout of the embeddings and of the results of the feed-forward blocks.
    pub dropout: f64,
    /// Dropout of the attention probabilities.
    pub attention_dropout: f64,
    /// Whether `dropout` also applies to the results of attention.
    pub attention_output_dropout: bool,
    /// Dropout after the activation of the feed-forward block.
    pub feed_forward_dropout: f64,
    /// Dropout before the final linear layer.
    pub head_dropout: f64,
    /// Maximum number of tokens of a text.
    pub max_length: usize,
    /// Epsilon of the layer norms.
    pub norm_epsilon: f64,
    /// Standard deviation of the initial weights.
    pub initializer_range: f64,
}

impl EncoderConfig {
    /// Returns the configuration of a model with this encoder, a vocabulary of `vocab_size` words and a
    /// head for `outputs`. `padding` is the id of the tokenizer's padding token, if it has one; only
    /// transformers reads it. The model is of the first family of transformers whose structure it has,
    /// otherwise of our own.
    ///
    /// # Errors
    /// Fails if sizes are beyond those of [`ModelConfig`].
    pub fn model_config(
        &self,
        vocab_size: usize,
        padding: Option<u32>,
        outputs: Task,
    ) -> Result<ModelConfig, ModelError> {
        let family = self.family();
        let keys = &family.keys;
        let mut all: Map<String, Value> = Map::new();
        let mut set = |key: &str, value: Value| {
            all.insert(key.into(), value);
        };
        set("model_type", json!(family.model_type));
        set("vocab_size", json!(vocab_size));
        set(keys.hidden_size, json!(self.hidden_size));
        set(keys.layers, json!(self.layers));
        set(keys.heads, json!(self.heads));
        set(keys.intermediate_size, json!(self.feed_forward_size));
        set(keys.activation, json!(self.activation));
        set(keys.dropout, json!(self.dropout));
        set(keys.attention_dropout, json!(self.attention_dropout));
        set(keys.classifier_dropout, json!(self.head_dropout));
        set("max_position_embeddings", json!(self.max_length));
        set("initializer_range", json!(self.initializer_range));
        if family.token_types != TokenTypes::None {
            set("type_vocab_size", json!(self.token_types));
        }
        if let Some(key) = keys.norm_epsilon {
            set(key, json!(self.norm_epsilon));
        }
        if let Some(padding) = padding {
            set("pad_token_id", json!(padding));
        }
        if family.structure.is_none() {
            let settings = self.structure().settings().into_iter();
            settings.for_each(|(key, value)| set(key, value));
        }
        let text = Value::Object(all).to_string();
        let config = ModelConfig::parse(&text, Path::new("the new config.json"))?;
        Ok(config.with_outputs(outputs))
    }

    fn structure(&self) -> Structure {
        Structure {
            norm: self.norm,
            positions: self.positions,
            embedding_scale: self.embedding_scale,
            embedding_norm: self.embedding_norm,
            attention_output_dropout: self.attention_output_dropout,
            feed_forward_dropout: self.feed_forward_dropout,
            pooling: self.pooling,
            head: HeadKind {
                dense: match self.head {
                    HeadLayers::Linear => None,
                    HeadLayers::Dense => Some(self.head_activation),
                },
                input_dropout: false,
            },
        }
    }

    /// Returns the first family whose models have this structure and no more settings than this has.
    fn family(&self) -> &'static Family {
        let structure = Some(self.structure());
        let is_same = |family: &&Family| {
            let has_types = match family.token_types {
                TokenTypes::None => self.token_types == 0,
                TokenTypes::OfTokenizer => self.token_types > 0,
                TokenTypes::OfTokenizerIfAny | TokenTypes::Zero => false,
            };
            let has_epsilon =
                family.keys.norm_epsilon.is_some() || family.norm_epsilon == self.norm_epsilon;
            family.structure == structure
                && has_types
                && has_epsilon
                && family.positions == Positions::FromZero
                && family.keys.embedding_size.is_none()
        };
        FAMILIES.into_iter().find(is_same).unwrap_or(&FINETUNE)
    }
}
