//! Model families as data: what each calls the same keys and the same weights, and the few points in
//! which families that share their blocks differ. A new family is a table in a file of its own and
//! a line in [`FAMILIES`].

mod bert;
mod distilbert;
mod electra;
mod roberta;

use finetune_kernels::Activation;

pub use self::{
    bert::BERT,
    distilbert::DISTILBERT,
    electra::ELECTRA,
    roberta::{CAMEMBERT, ROBERTA, XLM_ROBERTA},
};
use crate::Component;

/// All families.
pub static FAMILIES: [&Family; 6] = [
    &BERT,
    &DISTILBERT,
    &ROBERTA,
    &XLM_ROBERTA,
    &CAMEMBERT,
    &ELECTRA,
];

/// One family of encoders.
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
    /// Epsilon of the layer norms where `config.json` does not give one.
    pub norm_epsilon: f64,
    /// How the tokens of a sequence are numbered.
    pub positions: Positions,
    /// Which token types the tokens have.
    pub token_types: TokenTypes,
    /// Whether the attention's output is dropped out before the residual sum.
    pub attention_output_dropout: bool,
    /// The classification head.
    pub head: HeadKind,
    /// What each component is called in the weights file, without `.weight` or `.bias`; `{}` stands
    /// for the number of the layer. The order is that of [`parameters`](crate::parameters).
    pub weights: &'static [(Component, &'static str)],
    /// Beginnings of the names of pretraining heads and buffers, which are dropped without a word.
    pub ignored: &'static [&'static str],
}

/// How the tokens of a sequence are numbered for the position table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// From 0 on.
    FromZero,
    /// From `pad_token_id + 1` on; a padding token inside a text has position `pad_token_id` and is
    /// not counted. Without the key, `pad_token_id` is the one given here.
    AfterPadding(u32),
}

/// Which token types the tokens have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenTypes {
    /// None: there is no table, and what a tokenizer says is ignored.
    None,
    /// Those that the tokenizer gives.
    OfTokenizer,
    /// Type 0 everywhere: there is a table, but the family's tokenizers give no types.
    Zero,
}

/// The linear layers at the top: dense, activation, dropout, classifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadKind {
    /// Activation after the dense layer.
    pub activation: Activation,
    /// Whether the head's input is dropped out too, with the same probability.
    pub input_dropout: bool,
}

/// Names of the keys in `config.json`.
#[derive(Debug)]
pub struct Keys {
    /// Width of the hidden states.
    pub hidden_size: &'static str,
    /// Width of the embeddings; `None`: that of the hidden states.
    pub embedding_size: Option<&'static str>,
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

impl Keys {
    /// The keys of `BertConfig`, which most families have taken over.
    const OF_BERT: Self = Self {
        hidden_size: "hidden_size",
        embedding_size: None,
        layers: "num_hidden_layers",
        heads: "num_attention_heads",
        intermediate_size: "intermediate_size",
        activation: "hidden_act",
        dropout: "hidden_dropout_prob",
        attention_dropout: "attention_probs_dropout_prob",
        classifier_dropout: "classifier_dropout",
        classifier_dropout_default: None,
        norm_epsilon: Some("layer_norm_eps"),
    };
}

impl Family {
    /// The family that `config.json` calls `model_type`.
    pub fn from_model_type(model_type: &str) -> Option<&'static Family> {
        FAMILIES
            .into_iter()
            .find(|family| family.model_type == model_type)
    }

    /// The name of a component in the weights file, without `.weight` or `.bias`; `layer` is its
    /// layer's number and counts only for components of layers. `None` if the family has no such
    /// component.
    pub fn name_of(&self, component: Component, layer: usize) -> Option<String> {
        let mut lines = self.weights.iter();
        let (_, name) = lines.find(|(other, _)| *other == component)?;
        Some(name.replace("{}", &layer.to_string()))
    }
}
