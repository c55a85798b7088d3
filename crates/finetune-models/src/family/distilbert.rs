//! DistilBERT (Sanh et al. 2019), as transformers' `DistilBertForSequenceClassification`.

use finetune_kernels::Activation;

use super::{Family, HeadKind, Keys, MaskedLmKind, Positions, Structure, TokenTypes};
use crate::Component::*;

/// The table of DistilBERT.
pub static DISTILBERT: Family = Family {
    model_type: "distilbert",
    architecture: "DistilBertForSequenceClassification",
    prefix: "distilbert.",
    keys: Keys {
        hidden_size: "dim",
        embedding_size: None,
        layers: "n_layers",
        heads: "n_heads",
        intermediate_size: "hidden_dim",
        activation: "activation",
        dropout: "dropout",
        attention_dropout: "attention_dropout",
        classifier_dropout: "seq_classif_dropout",
        classifier_dropout_default: Some(0.2),
        norm_epsilon: None,
    },
    norm_epsilon: 1e-12,
    positions: Positions::FromZero,
    token_types: TokenTypes::None,
    structure: Some(Structure {
        attention_output_dropout: false,
        head: HeadKind {
            dense: Some(Activation::Relu),
            input_dropout: false,
        },
        ..Structure::OF_BERT
    }),
    weights: &[
        (WordTable, "distilbert.embeddings.word_embeddings"),
        (PositionTable, "distilbert.embeddings.position_embeddings"),
        (EmbeddingNorm, "distilbert.embeddings.LayerNorm"),
        (Query, "distilbert.transformer.layer.{}.attention.q_lin"),
        (Key, "distilbert.transformer.layer.{}.attention.k_lin"),
        (Value, "distilbert.transformer.layer.{}.attention.v_lin"),
        (Output, "distilbert.transformer.layer.{}.attention.out_lin"),
        (
            AttentionNorm,
            "distilbert.transformer.layer.{}.sa_layer_norm",
        ),
        (Up, "distilbert.transformer.layer.{}.ffn.lin1"),
        (Down, "distilbert.transformer.layer.{}.ffn.lin2"),
        (
            OutputNorm,
            "distilbert.transformer.layer.{}.output_layer_norm",
        ),
        (HeadDense, "pre_classifier"),
        (Classifier, "classifier"),
    ],
    masked_lm: MaskedLmKind {
        architecture: "DistilBertForMaskedLM",
        activation: None,
        weights: &[
            (MaskedDense, "vocab_transform"),
            (MaskedNorm, "vocab_layer_norm"),
            (DecoderBias, "vocab_projector"),
        ],
        same: &[(
            "vocab_projector.weight",
            "distilbert.embeddings.word_embeddings.weight",
        )],
    },
    ignored: &["vocab_transform.", "vocab_layer_norm.", "vocab_projector."],
};
