//! The settings of a new encoder as TOML has them, where most have defaults.

use std::path::Path;

use finetune_kernels::{Activation, Pooling};
use serde::Deserialize;

use super::{EncoderConfig, Preset};
use crate::{
    ModelError,
    family::{EmbeddingScale, HeadLayers, NormPlacement, PositionKind},
};

/// Limits beyond any model that is trained from nothing, so that a slip of the finger is an error and
/// not a lack of memory.
const MAX_WIDTH: usize = 1 << 16;
const MAX_LAYERS: usize = 1000;
const MAX_LENGTH: usize = 1 << 20;

/// Declares the settings, each of them optional, and their combination.
macro_rules! settings {
    ($( $(#[$attribute:meta])* $key:ident : $type:ty, )*) => {
        /// The settings of a new encoder. Those that are `None` have the values of the preset, or else
        /// the defaults that [`resolve`](EncoderSettings::resolve) states.
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct EncoderSettings {
            /// The encoder from which the other settings differ.
            pub preset: Option<Preset>,
            $(
                #[doc = concat!("See [`EncoderConfig::", stringify!($key), "`].")]
                pub $key: Option<$type>,
            )*
        }

        impl EncoderSettings {
            /// Returns these settings, completed with `others`.
            fn or(self, others: Self) -> Self {
                Self {
                    preset: self.preset,
                    $( $key: self.$key.or(others.$key), )*
                }
            }
        }
    };
}

settings! {
    hidden_size: usize,
    layers: usize,
    heads: usize,
    feed_forward_size: usize,
    activation: Activation,
    norm: NormPlacement,
    positions: PositionKind,
    embedding_scale: EmbeddingScale,
    embedding_norm: bool,
    token_types: usize,
    pooling: Pooling,
    head: HeadLayers,
    head_activation: Activation,
    dropout: f64,
    attention_dropout: f64,
    attention_output_dropout: bool,
    feed_forward_dropout: f64,
    head_dropout: f64,
    max_length: usize,
    norm_epsilon: f64,
    initializer_range: f64,
}

/// The keys of BERT's `config.json` that have other names here.
const NAMES_OF_BERT: [(&str, &str); 14] = [
    ("num_hidden_layers", "layers"),
    ("num_layers", "layers"),
    ("num_attention_heads", "heads"),
    ("num_heads", "heads"),
    ("nhead", "heads"),
    ("d_model", "hidden_size"),
    ("intermediate_size", "feed_forward_size"),
    ("dim_feedforward", "feed_forward_size"),
    ("hidden_act", "activation"),
    ("hidden_dropout_prob", "dropout"),
    ("attention_probs_dropout_prob", "attention_dropout"),
    ("classifier_dropout", "head_dropout"),
    ("max_position_embeddings", "max_length"),
    ("layer_norm_eps", "norm_epsilon"),
];

impl EncoderSettings {
    /// Parses TOML; `path` is used in messages only.
    ///
    /// # Errors
    /// Fails with [`ModelError::EncoderSyntax`] if the text is not TOML, or has a key or a value that
    /// does not exist.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ModelError> {
        toml::from_str(text).map_err(|error| {
            let mut reason = error.to_string().trim_end().to_string();
            let other = NAMES_OF_BERT
                .iter()
                .find(|(name, _)| reason.contains(&format!("unknown field `{name}`")));
            if let Some((name, here)) = other {
                reason += &format!("\n{name} is called {here} here");
            }
            ModelError::EncoderSyntax {
                path: path.into(),
                reason,
            }
        })
    }

    /// Completes the settings with those of the preset and with defaults, and checks them. Without a
    /// preset, `hidden_size` and `layers` have no defaults; the others are those of a BERT: heads of width
    /// 64, a feed-forward block four times as wide, gelu, norms after the blocks and of the embeddings,
    /// learned positions, two token types, the first token with a dense layer and tanh, dropout 0.1 (0
    /// inside the feed-forward block), 512 tokens, an epsilon of 1e-12, and initial weights of standard
    /// deviation 0.02. Pooling by mean or maximum has no dense layer by default, and norms before the
    /// blocks no norm of the embeddings. `whose` names the description in messages.
    ///
    /// # Errors
    /// Fails with [`ModelError::Encoder`], which names the key.
    pub fn resolve(self, whose: &str) -> Result<EncoderConfig, ModelError> {
        let problem = |key: &'static str, problem: String| ModelError::Encoder {
            whose: whose.into(),
            key,
            problem,
        };
        let base = self.preset.map(Preset::settings).unwrap_or_default();
        let given = self.or(base);
        let size = |key, value: Option<usize>, limit| match value {
            Some(size) if (1..=limit).contains(&size) => Ok(size),
            Some(size) => Err(problem(key, format!("{size} is not from 1 to {limit}"))),
            None => Err(problem(key, "missing; expected a whole number".into())),
        };
        let probability = |key, value: f64| match (0.0..1.0).contains(&value) {
            true => Ok(value),
            false => Err(problem(key, format!("{value} is not in [0, 1)"))),
        };
        let positive = |key, value: f64| match value > 0.0 && value.is_finite() {
            true => Ok(value),
            false => Err(problem(key, format!("{value} is not a positive number"))),
        };
        let hidden_size = size("hidden_size", given.hidden_size, MAX_WIDTH)?;
        let heads = given.heads.unwrap_or((hidden_size / 64).max(1));
        let heads = size("heads", Some(heads), MAX_WIDTH)?;
        if !hidden_size.is_multiple_of(heads) {
            return Err(problem(
                "heads",
                format!("{heads} heads do not divide hidden_size = {hidden_size}"),
            ));
        }
        let positions = given.positions.unwrap_or(PositionKind::Learned);
        if positions == PositionKind::Sinusoidal && !hidden_size.is_multiple_of(2) {
            return Err(problem(
                "hidden_size",
                format!(
                    "{hidden_size} is odd, but positions = \"sinusoidal\" are pairs of a sine and a cosine; take {} or {}, or positions = \"learned\"",
                    hidden_size - 1,
                    hidden_size + 1
                ),
            ));
        }
        let norm = given.norm.unwrap_or(NormPlacement::Post);
        let pooling = given.pooling.unwrap_or(Pooling::First);
        let head = given.head.unwrap_or(match pooling {
            Pooling::First => HeadLayers::Dense,
            Pooling::Mean | Pooling::Max => HeadLayers::Linear,
        });
        if head == HeadLayers::Linear && given.head_activation.is_some() {
            let text =
                "it has no effect, since the head is linear; leave it out, or set head = \"dense\"";
            return Err(problem("head_activation", text.into()));
        }
        let dropout = probability("dropout", given.dropout.unwrap_or(0.1))?;
        let feed_forward_size = given.feed_forward_size.or(Some(4 * hidden_size));
        let token_types = given.token_types.unwrap_or(2);
        if token_types > MAX_WIDTH {
            let text = format!("{token_types} is not from 0 to {MAX_WIDTH}");
            return Err(problem("token_types", text));
        }
        Ok(EncoderConfig {
            hidden_size,
            layers: size("layers", given.layers, MAX_LAYERS)?,
            heads,
            feed_forward_size: size("feed_forward_size", feed_forward_size, 4 * MAX_WIDTH)?,
            activation: given.activation.unwrap_or(Activation::Gelu),
            norm,
            positions,
            embedding_scale: given.embedding_scale.unwrap_or(EmbeddingScale::None),
            embedding_norm: given.embedding_norm.unwrap_or(norm == NormPlacement::Post),
            token_types,
            pooling,
            head,
            head_activation: given.head_activation.unwrap_or(Activation::Tanh),
            dropout,
            attention_dropout: probability(
                "attention_dropout",
                given.attention_dropout.unwrap_or(dropout),
            )?,
            attention_output_dropout: given.attention_output_dropout.unwrap_or(true),
            feed_forward_dropout: probability(
                "feed_forward_dropout",
                given.feed_forward_dropout.unwrap_or(0.0),
            )?,
            head_dropout: probability("head_dropout", given.head_dropout.unwrap_or(dropout))?,
            max_length: size("max_length", given.max_length.or(Some(512)), MAX_LENGTH)?,
            norm_epsilon: positive("norm_epsilon", given.norm_epsilon.unwrap_or(1e-12))?,
            initializer_range: positive(
                "initializer_range",
                given.initializer_range.unwrap_or(0.02),
            )?,
        })
    }
}
