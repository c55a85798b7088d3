//! ELECTRA (Clark et al. 2020), as transformers' `ElectraForSequenceClassification`. The `summary_…`
//! keys of its `config.json` concern other heads and have no effect here.

use finetune_kernels::Activation;

use super::{Family, HeadKind, Keys, MaskedLmKind, Positions, Structure, TokenTypes};
use crate::Component::*;

/// The table of ELECTRA.
pub static ELECTRA: Family = Family {
    model_type: "electra",
    architecture: "ElectraForSequenceClassification",
    prefix: "electra.",
    keys: Keys {
        embedding_size: Some("embedding_size"),
        ..Keys::OF_BERT
    },
    norm_epsilon: 1e-12,
    positions: Positions::FromZero,
    token_types: TokenTypes::OfTokenizer,
    structure: Some(Structure {
        head: HeadKind {
            dense: Some(Activation::Gelu),
            input_dropout: true,
        },
        ..Structure::OF_BERT
    }),
    weights: &[
        (WordTable, "electra.embeddings.word_embeddings"),
        (PositionTable, "electra.embeddings.position_embeddings"),
        (TokenTypeTable, "electra.embeddings.token_type_embeddings"),
        (EmbeddingNorm, "electra.embeddings.LayerNorm"),
        (EmbeddingProjection, "electra.embeddings_project"),
        (Query, "electra.encoder.layer.{}.attention.self.query"),
        (Key, "electra.encoder.layer.{}.attention.self.key"),
        (Value, "electra.encoder.layer.{}.attention.self.value"),
        (Output, "electra.encoder.layer.{}.attention.output.dense"),
        (
            AttentionNorm,
            "electra.encoder.layer.{}.attention.output.LayerNorm",
        ),
        (Up, "electra.encoder.layer.{}.intermediate.dense"),
        (Down, "electra.encoder.layer.{}.output.dense"),
        (OutputNorm, "electra.encoder.layer.{}.output.LayerNorm"),
        (HeadDense, "classifier.dense"),
        (Classifier, "classifier.out_proj"),
    ],
    masked_lm: MaskedLmKind {
        architecture: "ElectraForMaskedLM",
        activation: Some(Activation::Gelu),
        weights: &[
            (MaskedDense, "generator_predictions.dense"),
            (MaskedNorm, "generator_predictions.LayerNorm"),
            (DecoderBias, "generator_lm_head"),
        ],
        same: &[(
            "generator_lm_head.weight",
            "electra.embeddings.word_embeddings.weight",
        )],
    },
    ignored: &[
        "discriminator_predictions.",
        "generator_predictions.",
        "generator_lm_head.",
        "electra.embeddings.position_ids",
    ],
};
