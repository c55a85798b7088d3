//! RoBERTa (Liu et al. 2019), XLM-RoBERTa (Conneau et al. 2020) and CamemBERT (Martin et al. 2020), as
//! transformers' `…ForSequenceClassification`: one table under three names.

use finetune_kernels::Activation;

use super::{Family, HeadKind, Keys, MaskedLmKind, Positions, Structure, TokenTypes};
use crate::Component::*;

/// The table of RoBERTa.
pub static ROBERTA: Family = TABLE;

/// The table of XLM-RoBERTa.
pub static XLM_ROBERTA: Family = Family {
    model_type: "xlm-roberta",
    architecture: "XLMRobertaForSequenceClassification",
    masked_lm: MaskedLmKind {
        architecture: "XLMRobertaForMaskedLM",
        ..TABLE.masked_lm
    },
    ..TABLE
};

/// The table of CamemBERT.
pub static CAMEMBERT: Family = Family {
    model_type: "camembert",
    architecture: "CamembertForSequenceClassification",
    masked_lm: MaskedLmKind {
        architecture: "CamembertForMaskedLM",
        ..TABLE.masked_lm
    },
    ..TABLE
};

const TABLE: Family = Family {
    model_type: "roberta",
    architecture: "RobertaForSequenceClassification",
    prefix: "roberta.",
    keys: Keys::OF_BERT,
    norm_epsilon: 1e-12,
    positions: Positions::AfterPadding(1),
    token_types: TokenTypes::Zero,
    structure: Some(Structure {
        head: HeadKind {
            dense: Some(Activation::Tanh),
            input_dropout: true,
        },
        ..Structure::OF_BERT
    }),
    weights: &[
        (WordTable, "roberta.embeddings.word_embeddings"),
        (PositionTable, "roberta.embeddings.position_embeddings"),
        (TokenTypeTable, "roberta.embeddings.token_type_embeddings"),
        (EmbeddingNorm, "roberta.embeddings.LayerNorm"),
        (Query, "roberta.encoder.layer.{}.attention.self.query"),
        (Key, "roberta.encoder.layer.{}.attention.self.key"),
        (Value, "roberta.encoder.layer.{}.attention.self.value"),
        (Output, "roberta.encoder.layer.{}.attention.output.dense"),
        (
            AttentionNorm,
            "roberta.encoder.layer.{}.attention.output.LayerNorm",
        ),
        (Up, "roberta.encoder.layer.{}.intermediate.dense"),
        (Down, "roberta.encoder.layer.{}.output.dense"),
        (OutputNorm, "roberta.encoder.layer.{}.output.LayerNorm"),
        (HeadDense, "classifier.dense"),
        (Classifier, "classifier.out_proj"),
    ],
    masked_lm: MaskedLmKind {
        architecture: "RobertaForMaskedLM",
        activation: Some(Activation::Gelu),
        weights: &[
            (MaskedDense, "lm_head.dense"),
            (MaskedNorm, "lm_head.layer_norm"),
            (DecoderBias, "lm_head"),
        ],
        same: &[
            (
                "lm_head.decoder.weight",
                "roberta.embeddings.word_embeddings.weight",
            ),
            ("lm_head.decoder.bias", "lm_head.bias"),
        ],
    },
    ignored: &[
        "lm_head.",
        "roberta.pooler.",
        "roberta.embeddings.position_ids",
    ],
};
