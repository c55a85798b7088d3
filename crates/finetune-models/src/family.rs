//! Model families as data: what each calls the same keys and the same weights.

use finetune_kernels::Activation;

/// One family of encoders. Adding a family is adding a table.
#[derive(Debug)]
pub struct Family {
    /// `model_type` in `config.json`.
    pub model_type: &'static str,
    /// `architectures[0]` of the sequence classifier.
    pub architecture: &'static str,
    /// What transformers puts before the encoder's weights in a classifier (`bert.`).
    pub prefix: &'static str,
    /// Names of `config.json`'s keys.
    pub keys: Keys,
    /// Epsilon of the layer norms where `config.json` does not say.
    pub norm_epsilon: f64,
    /// Whether there is a token type embedding.
    pub token_types: bool,
    /// Whether the attention's output is dropped out before the residual sum.
    pub attention_output_dropout: bool,
    /// Activation between the head's two linear layers.
    pub head_activation: Activation,
    /// Our name of a weight, and transformers' name. `{}` is the layer's number. Of a linear layer
    /// or a norm only the stem is listed.
    pub weights: &'static [(&'static str, &'static str)],
    /// Beginnings of names that belong to pretraining heads or buffers: dropped without a word.
    pub ignored: &'static [&'static str],
}

/// Names of the keys in `config.json`.
#[derive(Debug)]
pub struct Keys {
    /// Width of the hidden states.
    pub hidden_size: &'static str,
    /// Number of encoder layers.
    pub layers: &'static str,
    /// Number of attention heads.
    pub heads: &'static str,
    /// Width of the feed-forward layer.
    pub intermediate_size: &'static str,
    /// Activation of the feed-forward layer.
    pub activation: &'static str,
    /// Dropout of embeddings and layers.
    pub dropout: &'static str,
    /// Dropout of the attention probabilities.
    pub attention_dropout: &'static str,
    /// Dropout before the classifier.
    pub classifier_dropout: &'static str,
    /// Dropout before the classifier where the key is absent or null; `None`: the layers' dropout.
    pub classifier_dropout_default: Option<f64>,
    /// Epsilon of the layer norms.
    pub norm_epsilon: Option<&'static str>,
}

/// BERT (Devlin et al. 2018), as `BertForSequenceClassification`.
pub static BERT: Family = Family {
    model_type: "bert",
    architecture: "BertForSequenceClassification",
    prefix: "bert.",
    keys: Keys {
        hidden_size: "hidden_size",
        layers: "num_hidden_layers",
        heads: "num_attention_heads",
        intermediate_size: "intermediate_size",
        activation: "hidden_act",
        dropout: "hidden_dropout_prob",
        attention_dropout: "attention_probs_dropout_prob",
        classifier_dropout: "classifier_dropout",
        classifier_dropout_default: None,
        norm_epsilon: Some("layer_norm_eps"),
    },
    norm_epsilon: 1e-12,
    token_types: true,
    attention_output_dropout: true,
    head_activation: Activation::Tanh,
    weights: &[
        ("embeddings.word", "bert.embeddings.word_embeddings.weight"),
        (
            "embeddings.position",
            "bert.embeddings.position_embeddings.weight",
        ),
        (
            "embeddings.token_type",
            "bert.embeddings.token_type_embeddings.weight",
        ),
        ("embeddings.norm", "bert.embeddings.LayerNorm"),
        (
            "layers.{}.query",
            "bert.encoder.layer.{}.attention.self.query",
        ),
        ("layers.{}.key", "bert.encoder.layer.{}.attention.self.key"),
        (
            "layers.{}.value",
            "bert.encoder.layer.{}.attention.self.value",
        ),
        (
            "layers.{}.output",
            "bert.encoder.layer.{}.attention.output.dense",
        ),
        (
            "layers.{}.attention_norm",
            "bert.encoder.layer.{}.attention.output.LayerNorm",
        ),
        ("layers.{}.up", "bert.encoder.layer.{}.intermediate.dense"),
        ("layers.{}.down", "bert.encoder.layer.{}.output.dense"),
        (
            "layers.{}.output_norm",
            "bert.encoder.layer.{}.output.LayerNorm",
        ),
        ("head.dense", "bert.pooler.dense"),
        ("head.classifier", "classifier"),
    ],
    ignored: &["cls.", "bert.embeddings.position_ids"],
};

/// DistilBERT (Sanh et al. 2019), as `DistilBertForSequenceClassification`.
pub static DISTILBERT: Family = Family {
    model_type: "distilbert",
    architecture: "DistilBertForSequenceClassification",
    prefix: "distilbert.",
    keys: Keys {
        hidden_size: "dim",
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
    token_types: false,
    attention_output_dropout: false,
    head_activation: Activation::Relu,
    weights: &[
        (
            "embeddings.word",
            "distilbert.embeddings.word_embeddings.weight",
        ),
        (
            "embeddings.position",
            "distilbert.embeddings.position_embeddings.weight",
        ),
        ("embeddings.norm", "distilbert.embeddings.LayerNorm"),
        (
            "layers.{}.query",
            "distilbert.transformer.layer.{}.attention.q_lin",
        ),
        (
            "layers.{}.key",
            "distilbert.transformer.layer.{}.attention.k_lin",
        ),
        (
            "layers.{}.value",
            "distilbert.transformer.layer.{}.attention.v_lin",
        ),
        (
            "layers.{}.output",
            "distilbert.transformer.layer.{}.attention.out_lin",
        ),
        (
            "layers.{}.attention_norm",
            "distilbert.transformer.layer.{}.sa_layer_norm",
        ),
        ("layers.{}.up", "distilbert.transformer.layer.{}.ffn.lin1"),
        ("layers.{}.down", "distilbert.transformer.layer.{}.ffn.lin2"),
        (
            "layers.{}.output_norm",
            "distilbert.transformer.layer.{}.output_layer_norm",
        ),
        ("head.dense", "pre_classifier"),
        ("head.classifier", "classifier"),
    ],
    ignored: &["vocab_transform.", "vocab_layer_norm.", "vocab_projector."],
};

/// All families.
pub static FAMILIES: [&Family; 2] = [&BERT, &DISTILBERT];

impl Family {
    /// The family that `config.json` calls `model_type`.
    pub fn from_model_type(model_type: &str) -> Option<&'static Family> {
        FAMILIES
            .into_iter()
            .find(|family| family.model_type == model_type)
    }
}
