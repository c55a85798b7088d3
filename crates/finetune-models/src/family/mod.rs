//! Model families as data: the names that each gives to configuration keys and weights, and the few
//! points in which families built from the same blocks differ. A new family is a file with a table
//! and a line in [`FAMILIES`].

mod bert;
mod distilbert;
mod electra;
mod finetune;
mod roberta;
pub(crate) mod structure;

pub use self::{
    bert::BERT,
    distilbert::DISTILBERT,
    electra::ELECTRA,
    finetune::FINETUNE,
    roberta::{CAMEMBERT, ROBERTA, XLM_ROBERTA},
    structure::{EmbeddingScale, HeadKind, HeadLayers, NormPlacement, PositionKind, Structure},
};
use crate::Component;
use finetune_kernels::Activation;

/// All supported families.
pub static FAMILIES: [&Family; 7] = [
    &BERT,
    &DISTILBERT,
    &ROBERTA,
    &XLM_ROBERTA,
    &CAMEMBERT,
    &ELECTRA,
    &FINETUNE,
];

/// The table of a model family.
#[derive(Debug)]
pub struct Family {
    /// `model_type` in `config.json`.
    pub model_type: &'static str,
    /// `architectures[0]` of the sequence classifier.
    pub architecture: &'static str,
    /// Prefix of the encoder's weights in a classifier, such as `bert.`.
    pub prefix: &'static str,
    /// Names of the keys in `config.json`.
    pub keys: Keys,
    /// Epsilon of the layer norms if `config.json` does not give one.
    pub norm_epsilon: f64,
    /// How positions are numbered.
    pub positions: Positions,
    /// Where token types come from.
    pub token_types: TokenTypes,
    /// How the encoder and its head are built; `None` if `config.json` says so.
    pub structure: Option<Structure>,
    /// The name of each component in the weights file, without `.weight` or `.bias`; `{}` stands for
    /// the layer index. The order is that of [`parameters`](crate::parameters).
    pub weights: &'static [(Component, &'static str)],
    /// The head of masked language models.
    pub masked_lm: MaskedLmKind,
    /// Name prefixes of pretraining heads and buffers, which are ignored silently.
    pub ignored: &'static [&'static str],
}

/// How positions are numbered for the position embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// From 0 upwards.
    FromZero,
    /// From `pad_token_id + 1` upwards; a padding token inside a sequence has position `pad_token_id`
    /// and is not counted. The value is the default for a missing `pad_token_id`.
    AfterPadding(u32),
}

/// Where token types come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenTypes {
    /// There are none: the family has no table for them, and those of the tokenizer are ignored.
    None,
    /// The tokenizer assigns them.
    OfTokenizer,
    /// The tokenizer assigns them, if the model has a table for them.
    OfTokenizerIfAny,
    /// They are all 0: there is a table, but the family's tokenizers assign no types.
    Zero,
}

/// The head of a family's masked language models.
#[derive(Debug)]
pub struct MaskedLmKind {
    /// `architectures[0]` of the masked language model.
    pub architecture: &'static str,
    /// Activation after the dense layer; `None` for that of the feed-forward blocks.
    pub activation: Option<Activation>,
    /// The names of the head's components in the weights file, as in [`Family::weights`].
    pub weights: &'static [(Component, &'static str)],
    /// Names under which files may hold a weight once more, or instead, and its own name: those of the
    /// decoder's weight, which is the word table, and of its bias.
    pub same: &'static [(&'static str, &'static str)],
}

/// Names of the keys in `config.json`.
#[derive(Debug)]
pub struct Keys {
    /// Width of the hidden states.
    pub hidden_size: &'static str,
    /// Width of the embeddings; `None` if it is always that of the hidden states.
    pub embedding_size: Option<&'static str>,
    /// Number of encoder layers.
    pub layers: &'static str,
    /// Number of attention heads.
    pub heads: &'static str,
    /// Inner width of the feed-forward block.
    pub intermediate_size: &'static str,
    /// Activation of the feed-forward block.
    pub activation: &'static str,
    /// Dropout of embeddings and layers.
    pub dropout: &'static str,
    /// Dropout of the attention probabilities.
    pub attention_dropout: &'static str,
    /// Dropout before the classifier.
    pub classifier_dropout: &'static str,
    /// Dropout before the classifier if the key is missing or null; `None` means the layers' dropout.
    pub classifier_dropout_default: Option<f64>,
    /// Epsilon of the layer norms; `None` if the family has no key for it.
    pub norm_epsilon: Option<&'static str>,
}

impl Keys {
    /// The keys of `BertConfig`, which most families have adopted.
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
    /// Finds the family with this `model_type` in `config.json`.
    pub fn from_model_type(model_type: &str) -> Option<&'static Family> {
        FAMILIES
            .into_iter()
            .find(|family| family.model_type == model_type)
    }

    /// Returns the name of a component in the weights file, without `.weight` or `.bias`, or `None` if
    /// the family does not have the component. `layer` is the index of its layer, and ignored outside
    /// of layers.
    pub fn name_of(&self, component: Component, layer: usize) -> Option<String> {
        let mut lines = self.weights.iter();
        let (_, name) = lines.find(|(other, _)| *other == component)?;
        Some(name.replace("{}", &layer.to_string()))
    }

    /// Returns the names of the tensors with a row per token, whatever head a file has: the word table and
    /// the bias of a masked language model's decoder, under all names that files may have for them.
    pub(crate) fn token_tensors(&self) -> Vec<String> {
        let table = self.name_of(Component::WordTable, 0);
        let table = table.map(|name| format!("{name}.weight"));
        let of_head = self.masked_lm.weights.iter();
        let mut biases = of_head.filter(|(component, _)| *component == Component::DecoderBias);
        let bias = biases.next().map(|(_, name)| format!("{name}.bias"));
        let own: Vec<_> = table.into_iter().chain(bias).collect();
        let same = self.masked_lm.same.iter();
        let same = same.filter(|(_, name)| own.iter().any(|own| own == name));
        let same = same.map(|(other, _)| (*other).to_owned());
        let bare = own.iter().filter_map(|name| name.strip_prefix(self.prefix));
        let others: Vec<_> = bare.map(str::to_owned).chain(same).collect();
        own.into_iter().chain(others).collect()
    }
}
