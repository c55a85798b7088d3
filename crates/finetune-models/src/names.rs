//! From our parameter names to transformers' and back, expanded from a family's table.

use crate::ModelConfig;

/// Which part of the model a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Embeddings and layers.
    Encoder,
    /// The linear layer below the classifier: BERT's pooler, DistilBERT's pre_classifier.
    HeadDense,
    /// The last linear layer.
    Classifier,
}

/// One parameter of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Path in our module tree, such as `layers.0.query.weight`.
    pub path: String,
    /// Name in `model.safetensors`, such as `bert.encoder.layer.0.attention.self.query.weight`.
    pub name: String,
    /// Shape in `model.safetensors`; linear weights are `[out, in]` there and `[in, out]` here.
    pub shape: Vec<usize>,
    /// Whether the file holds the transpose of what the module holds.
    pub transposed: bool,
    /// Part of the model.
    pub part: Part,
}

impl Parameter {
    /// Number of elements.
    pub fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// All parameters of the classifier that `config` describes, in the order of the family's table,
/// layer by layer.
pub fn parameters(config: &ModelConfig) -> Vec<Parameter> {
    let (layered, single): (Vec<_>, Vec<_>) = config
        .family
        .weights
        .iter()
        .copied()
        .partition(|(path, _)| path.contains("{}"));
    let (embeddings, head): (Vec<_>, Vec<_>) = single
        .into_iter()
        .partition(|(path, _)| path.starts_with("embeddings."));
    let numbered = (0..config.num_hidden_layers).flat_map(|layer| {
        let layer = layer.to_string();
        layered
            .iter()
            .map(move |(path, name)| (path.replace("{}", &layer), name.replace("{}", &layer)))
            .collect::<Vec<_>>()
    });
    let owned = |(path, name): (&str, &str)| (path.to_string(), name.to_string());
    embeddings
        .into_iter()
        .map(owned)
        .chain(numbered)
        .chain(head.into_iter().map(owned))
        .flat_map(|(path, name)| expand(config, &path, &name))
        .collect()
}

/// The parameters behind one line of the table.
fn expand(config: &ModelConfig, path: &str, name: &str) -> Vec<Parameter> {
    let hidden = config.hidden_size;
    let parameter = |path: String, name: String, shape: Vec<usize>| {
        let part = match path.split('.').nth(1) {
            Some("dense") => Part::HeadDense,
            Some("classifier") => Part::Classifier,
            _ => Part::Encoder,
        };
        Parameter {
            transposed: path.ends_with(".weight"),
            path,
            name,
            shape,
            part,
        }
    };
    let linear = |out: usize, input: usize| {
        vec![
            parameter(
                format!("{path}.weight"),
                format!("{name}.weight"),
                vec![out, input],
            ),
            parameter(format!("{path}.bias"), format!("{name}.bias"), vec![out]),
        ]
    };
    let table = |rows| vec![parameter(path.into(), name.into(), vec![rows, hidden])];
    match path.rsplit('.').next().unwrap_or_default() {
        "word" => table(config.vocab_size),
        "position" => table(config.max_position_embeddings),
        "token_type" => table(config.type_vocab_size),
        "up" => linear(config.intermediate_size, hidden),
        "down" => linear(hidden, config.intermediate_size),
        "classifier" => linear(config.outputs.num_labels(), hidden),
        stem if stem.ends_with("norm") => vec![
            parameter(
                format!("{path}.gamma"),
                format!("{name}.weight"),
                vec![hidden],
            ),
            parameter(format!("{path}.beta"), format!("{name}.bias"), vec![hidden]),
        ],
        _ => linear(hidden, hidden),
    }
}
