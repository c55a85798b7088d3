//! BERT (Devlin et al. 2018), as transformers' `BertForSequenceClassification`.

use super::{Family, Keys, MaskedLmKind, Positions, Structure, TokenTypes};
use crate::Component::*;

/// The table of BERT.
pub static BERT: Family = Family {
    model_type: "bert",
    architecture: "BertForSequenceClassification",
    prefix: "bert.",
    keys: Keys::OF_BERT,
    norm_epsilon: 1e-12,
    positions: Positions::FromZero,
    token_types: TokenTypes::OfTokenizer,
    structure: Some(Structure::OF_BERT),
    weights: &[
        (WordTable, "bert.embeddings.word_embeddings"),
        (PositionTable, "bert.embeddings.position_embeddings"),
        (TokenTypeTable, "bert.embeddings.token_type_embeddings"),
        (EmbeddingNorm, "bert.embeddings.LayerNorm"),
        (Query, "bert.encoder.layer.{}.attention.self.query"),
        (Key, "bert.encoder.layer.{}.attention.self.key"),
        (Value, "bert.encoder.layer.{}.attention.self.value"),
        (Output, "bert.encoder.layer.{}.attention.output.dense"),
        (
            AttentionNorm,
            "bert.encoder.layer.{}.attention.output.LayerNorm",
        ),
        (Up, "bert.encoder.layer.{}.intermediate.dense"),
        (Down, "bert.encoder.layer.{}.output.dense"),
        (OutputNorm, "bert.encoder.layer.{}.output.LayerNorm"),
        (HeadDense, "bert.pooler.dense"),
        (Classifier, "classifier"),
    ],
    masked_lm: MaskedLmKind {
        architecture: "BertForMaskedLM",
        activation: None,
        weights: &[
            (MaskedDense, "cls.predictions.transform.dense"),
            (MaskedNorm, "cls.predictions.transform.LayerNorm"),
            (DecoderBias, "cls.predictions"),
        ],
        same: &[
            (
                "cls.predictions.decoder.weight",
                "bert.embeddings.word_embeddings.weight",
            ),
            ("cls.predictions.decoder.bias", "cls.predictions.bias"),
        ],
    },
    ignored: &["cls.", "bert.pooler.", "bert.embeddings.position_ids"],
};
