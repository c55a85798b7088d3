//! Our own family, for encoders whose structure is that of no family in transformers. `config.json`
//! states the structure. Layers are called as in PyTorch's `TransformerEncoderLayer`.

use super::{Family, Keys, MaskedLmKind, Positions, TokenTypes};
use crate::Component::*;

/// The table of our own family.
pub static FINETUNE: Family = Family {
    model_type: "finetune",
    architecture: "FinetuneForSequenceClassification",
    prefix: "encoder.",
    keys: Keys::OF_BERT,
    norm_epsilon: 1e-12,
    positions: Positions::FromZero,
    token_types: TokenTypes::OfTokenizerIfAny,
    structure: None,
    weights: &[
        (WordTable, "encoder.embeddings.word"),
        (PositionTable, "encoder.embeddings.position"),
        (TokenTypeTable, "encoder.embeddings.token_type"),
        (EmbeddingNorm, "encoder.embeddings.norm"),
        (Query, "encoder.layers.{}.self_attn.query"),
        (Key, "encoder.layers.{}.self_attn.key"),
        (Value, "encoder.layers.{}.self_attn.value"),
        (Output, "encoder.layers.{}.self_attn.out_proj"),
        (AttentionNorm, "encoder.layers.{}.norm1"),
        (Up, "encoder.layers.{}.linear1"),
        (Down, "encoder.layers.{}.linear2"),
        (OutputNorm, "encoder.layers.{}.norm2"),
        (FinalNorm, "encoder.norm"),
        (HeadDense, "head.dense"),
        (Classifier, "classifier"),
    ],
    masked_lm: MaskedLmKind {
        architecture: "FinetuneForMaskedLM",
        activation: None,
        weights: &[
            (MaskedDense, "lm_head.dense"),
            (MaskedNorm, "lm_head.norm"),
            (DecoderBias, "lm_head"),
        ],
        same: &[],
    },
    ignored: &["lm_head."],
};
