//! The points in which encoders that are built from the same blocks differ.

use finetune_kernels::{Activation, Pooling};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How an encoder and its head are built from the blocks that all have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Structure {
    /// Where the layer norms of the layers are.
    pub norm: NormPlacement,
    /// Where the embeddings of positions come from.
    pub positions: PositionKind,
    /// The factor of the word embeddings.
    pub embedding_scale: EmbeddingScale,
    /// Whether the summed embeddings are normalized.
    pub embedding_norm: bool,
    /// Whether dropout is applied to the attention's output before the residual connection.
    pub attention_output_dropout: bool,
    /// Dropout after the activation of the feed-forward block.
    pub feed_forward_dropout: f64,
    /// How the hidden states of a sequence become the input of the head.
    pub pooling: Pooling,
    /// The classification head.
    pub head: HeadKind,
}

impl Structure {
    /// The structure of BERT, which most families share.
    pub const OF_BERT: Self = Self {
        norm: NormPlacement::Post,
        positions: PositionKind::Learned,
        embedding_scale: EmbeddingScale::None,
        embedding_norm: true,
        attention_output_dropout: true,
        feed_forward_dropout: 0.0,
        pooling: Pooling::First,
        head: HeadKind {
            dense: Some(Activation::Tanh),
            input_dropout: false,
        },
    };

    /// Lists the structure as keys of `config.json` and their values. `input_dropout` has no key, since
    /// no model that states its structure has it.
    pub fn settings(&self) -> Vec<(&'static str, Value)> {
        let head = match self.head.dense {
            None => HeadLayers::Linear,
            Some(_) => HeadLayers::Dense,
        };
        let mut settings = vec![
            (keys::NORM, json!(self.norm)),
            (keys::POSITIONS, json!(self.positions)),
            (keys::EMBEDDING_SCALE, json!(self.embedding_scale)),
            (keys::EMBEDDING_NORM, json!(self.embedding_norm)),
            (
                keys::ATTENTION_OUTPUT_DROPOUT,
                json!(self.attention_output_dropout),
            ),
            (keys::FEED_FORWARD_DROPOUT, json!(self.feed_forward_dropout)),
            (keys::POOLING, json!(self.pooling)),
            (keys::HEAD, json!(head)),
        ];
        let activation = self.head.dense;
        settings.extend(activation.map(|name| (keys::HEAD_ACTIVATION, json!(name))));
        settings
    }
}

/// The keys of [`Structure::settings`].
pub(crate) mod keys {
    pub(crate) const NORM: &str = "norm";
    pub(crate) const POSITIONS: &str = "positions";
    pub(crate) const EMBEDDING_SCALE: &str = "embedding_scale";
    pub(crate) const EMBEDDING_NORM: &str = "embedding_norm";
    pub(crate) const ATTENTION_OUTPUT_DROPOUT: &str = "attention_output_dropout";
    pub(crate) const FEED_FORWARD_DROPOUT: &str = "feed_forward_dropout";
    pub(crate) const POOLING: &str = "pooling";
    pub(crate) const HEAD: &str = "head";
    pub(crate) const HEAD_ACTIVATION: &str = "head_activation";
}

/// Where the layer norms of a layer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormPlacement {
    /// After each residual connection (Vaswani et al. 2017, BERT).
    Post,
    /// Before each block, with one more norm at the end of the encoder.
    Pre,
}

/// Where the embeddings of positions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PositionKind {
    /// From a table that is trained.
    Learned,
    /// From the sines and cosines of Vaswani et al. 2017.
    Sinusoidal,
}

/// The factor of the word embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmbeddingScale {
    /// 1.
    #[serde(rename = "none")]
    None,
    /// The square root of their width (Vaswani et al. 2017).
    #[serde(rename = "sqrt(hidden)")]
    SqrtHidden,
}

impl EmbeddingScale {
    /// Returns the factor of embeddings of this width.
    pub fn factor(self, width: usize) -> f64 {
        match self {
            Self::None => 1.0,
            Self::SqrtHidden => (width as f64).sqrt(),
        }
    }
}

/// The variations of the classification head: dense layer, activation, dropout, classifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadKind {
    /// Activation after the dense layer; `None` if the classifier is the only layer.
    pub dense: Option<Activation>,
    /// Whether dropout is applied to the head's input too, with the same probability. Without a dense
    /// layer, the two places are one.
    pub input_dropout: bool,
}

/// The layers of a head, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadLayers {
    /// One linear layer.
    Linear,
    /// A dense layer with an activation, then a linear layer.
    Dense,
}
