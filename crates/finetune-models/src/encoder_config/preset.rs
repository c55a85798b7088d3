//! Encoders by name.

use finetune_kernels::{Activation, Pooling};
use serde::{Deserialize, Serialize};

use super::EncoderSettings;
use crate::family::{EmbeddingScale, HeadLayers, NormPlacement, PositionKind};

/// A named encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The network of the best-known course lab on fine-tuning, PyTorch's `nn.TransformerEncoder` on
    /// embeddings of width 100, except that it pools real tokens only. Its weights begin at the scale
    /// `1 / √100`: Xavier's for square matrices, and the one that gives scaled embeddings variance 1.
    Lab,
    /// 4 layers of width 256, a BERT.
    Mini,
    /// 4 layers of width 512, a BERT.
    Small,
    /// 6 layers of width 768, a DistilBERT.
    Distil,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 4] = [Self::Lab, Self::Mini, Self::Small, Self::Distil];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lab => "lab",
            Self::Mini => "mini",
            Self::Small => "small",
            Self::Distil => "distil",
        }
    }

    /// Finds the preset with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Returns the settings that differ from the defaults.
    pub fn settings(self) -> EncoderSettings {
        let sized = |hidden_size, layers| EncoderSettings {
            hidden_size: Some(hidden_size),
            layers: Some(layers),
            ..EncoderSettings::default()
        };
        match self {
            Self::Lab => EncoderSettings {
                heads: Some(2),
                feed_forward_size: Some(128),
                activation: Some(Activation::Relu),
                norm: Some(NormPlacement::Post),
                positions: Some(PositionKind::Sinusoidal),
                embedding_scale: Some(EmbeddingScale::SqrtHidden),
                embedding_norm: Some(false),
                token_types: Some(0),
                pooling: Some(Pooling::Mean),
                head: Some(HeadLayers::Linear),
                feed_forward_dropout: Some(0.1),
                head_dropout: Some(0.0),
                max_length: Some(5000),
                norm_epsilon: Some(1e-5),
                initializer_range: Some(0.1),
                ..sized(100, 2)
            },
            Self::Mini => sized(256, 4),
            Self::Small => sized(512, 4),
            Self::Distil => EncoderSettings {
                token_types: Some(0),
                head_activation: Some(Activation::Relu),
                attention_output_dropout: Some(false),
                head_dropout: Some(0.2),
                ..sized(768, 6)
            },
        }
    }
}
