//! The description of a model's parameters: place, role, shape and name in files. Loading, saving,
//! training strategies, optimizer groups, adapters and memory estimates all read it; no other code
//! takes paths or names apart.

use std::collections::HashMap;

use finetune_peft::{AdapterParameter, ModuleInfo, ModuleKind, split_adapter_path};

use crate::ModelConfig;

/// A linear layer, layer norm or embedding table of the model. Each line of a family's table names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// Word embeddings.
    WordTable,
    /// Position embeddings.
    PositionTable,
    /// Token type embeddings.
    TokenTypeTable,
    /// Layer norm of the summed embeddings.
    EmbeddingNorm,
    /// Projection of the embeddings to `hidden_size`, where their width differs from it.
    EmbeddingProjection,
    /// Query projection.
    Query,
    /// Key projection.
    Key,
    /// Value projection.
    Value,
    /// Output projection of the attention.
    Output,
    /// Layer norm after (or before) the attention.
    AttentionNorm,
    /// First linear layer of the feed-forward block, `hidden_size` to `intermediate_size`.
    Up,
    /// Second linear layer of the feed-forward block, `intermediate_size` to `hidden_size`.
    Down,
    /// Layer norm after (or before) the feed-forward block.
    OutputNorm,
    /// Layer norm of the encoder's output, in pre-norm encoders. It belongs to the last layer.
    FinalNorm,
    /// The dense layer below the classifier: BERT's pooler, DistilBERT's `pre_classifier`.
    HeadDense,
    /// The final linear layer, which computes the outputs.
    Classifier,
    /// The dense layer of a masked language model's head, `hidden_size` to the width of the embeddings.
    MaskedDense,
    /// Layer norm after that layer.
    MaskedNorm,
    /// The bias of a masked language model's decoder, whose weight is the word table.
    DecoderBias,
}

/// Where a parameter is in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Below the first encoder layer.
    Embeddings,
    /// In the encoder layer with this index, from 0.
    Layer(usize),
    /// In the dense layer below the classifier, or in what is below a masked language model's decoder.
    HeadDense,
    /// In the final linear layer, or in a masked language model's decoder.
    Classifier,
}

impl Place {
    /// Returns whether this is in the head, above all encoder layers.
    pub fn is_head(self) -> bool {
        matches!(self, Self::HeadDense | Self::Classifier)
    }

    /// Returns the lowest encoder layer that backpropagation has to reach to train a parameter here:
    /// 0 for the embeddings too, `None` for the head.
    pub fn lowest_layer(self) -> Option<usize> {
        match self {
            Self::Embeddings => Some(0),
            Self::Layer(number) => Some(number),
            Self::HeadDense | Self::Classifier => None,
        }
    }
}

/// The function of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The word embedding table, one row per token id.
    WordTable,
    /// The position embedding table, one row per position.
    PositionTable,
    /// The token type embedding table, one row per type.
    TokenTypeTable,
    /// The weight of a linear layer, `[in, out]` in the model and `[out, in]` in files.
    LinearWeight,
    /// The bias of a linear layer.
    Bias,
    /// The scale of a layer norm.
    NormScale,
    /// The shift of a layer norm.
    NormShift,
    /// A LoRA factor, DoRA magnitude or (IA)³ scale.
    Adapter,
}

/// One parameter of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Key in checkpoints, such as `layers.0.query.weight`.
    pub path: String,
    /// Name in `model.safetensors`, such as `bert.encoder.layer.0.attention.self.query.weight`.
    pub name: String,
    /// Shape in `model.safetensors`.
    pub shape: Vec<usize>,
    /// Place in the model.
    pub place: Place,
    /// Function of the parameter.
    pub role: Role,
}

impl Parameter {
    /// Returns the number of elements.
    pub fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Returns whether files store the transpose of the model's tensor.
    pub fn is_transposed(&self) -> bool {
        self.role == Role::LinearWeight
    }

    /// Returns the shape in the model.
    pub fn model_shape(&self) -> Vec<usize> {
        let mut shape = self.shape.clone();
        if self.is_transposed() {
            shape.reverse();
        }
        shape
    }
}

/// Lists all parameters of the classifier that `config` describes, in the order of the family's
/// table, layer by layer.
pub fn parameters(config: &ModelConfig) -> Vec<Parameter> {
    let components = components(config).into_iter();
    components
        .flat_map(|(component, layer, name)| component.parameters(config, layer, &name))
        .collect()
}

/// Lists all parameters of the masked language model that `config` describes, in the same order.
pub fn masked_lm_parameters(config: &ModelConfig) -> Vec<Parameter> {
    let family = config.family;
    let encoder = family.weights.iter();
    let encoder = encoder.filter(|(component, _)| !component.place(0).is_head());
    let lines = encoder.filter(|(component, _)| config.has(*component));
    let lines = lines.chain(family.masked_lm.weights);
    let components = in_order(config, lines).into_iter();
    components
        .flat_map(|(component, layer, name)| component.parameters(config, layer, &name))
        .collect()
}

/// Lists all modules with parameters of the classifier that `config` describes, as peft sees them, in
/// the order of [`parameters`].
pub fn modules(config: &ModelConfig) -> Vec<ModuleInfo> {
    let components = components(config).into_iter();
    components
        .map(|(component, layer, name)| {
            let kind = match component.shape(config) {
                Shape::Linear { inputs, outputs } => ModuleKind::Linear {
                    in_features: inputs,
                    out_features: outputs,
                    bias: true,
                },
                Shape::Table { .. } | Shape::Norm { .. } | Shape::Bias { .. } => {
                    let parameters = component.parameters(config, layer, &name).into_iter();
                    let leaf = |p: Parameter| (p.role.file_leaf().to_string(), p.shape);
                    ModuleKind::Other {
                        parameters: parameters.map(leaf).collect(),
                    }
                }
            };
            ModuleInfo { name, kind }
        })
        .collect()
}

/// Maps the name in files of each module and each parameter to its place.
pub fn places(config: &ModelConfig) -> HashMap<String, Place> {
    let mut places = HashMap::new();
    for (component, layer, name) in components(config) {
        let place = component.place(layer);
        for parameter in component.parameters(config, layer, &name) {
            places.insert(parameter.name, place);
        }
        places.insert(name, place);
    }
    places
}

/// Lists the components of a model with their layer indices and names in files: the embeddings, the
/// layers one by one, the head.
pub(crate) fn components(config: &ModelConfig) -> Vec<(Component, usize, String)> {
    let lines = config.family.weights.iter();
    in_order(
        config,
        lines.filter(|(component, _)| config.has(*component)),
    )
}

/// Orders the lines of a table, those of layers once for each layer.
fn in_order<'a>(
    config: &ModelConfig,
    lines: impl Iterator<Item = &'a (Component, &'static str)>,
) -> Vec<(Component, usize, String)> {
    let (below, rest): (Vec<_>, Vec<_>) =
        lines.partition(|(component, _)| component.place(0) == Place::Embeddings);
    let (layered, head): (Vec<_>, Vec<_>) = rest
        .into_iter()
        .partition(|(component, _)| component.place(0) == Place::Layer(0));
    let named = |(component, name): &(Component, &str), layer: usize| {
        (*component, layer, name.replace("{}", &layer.to_string()))
    };
    let mut all: Vec<_> = below.iter().map(|line| named(line, 0)).collect();
    let last = config.num_hidden_layers - 1;
    for layer in 0..=last {
        let lines = layered.iter();
        let lines = lines.filter(|(component, _)| layer == last || component.is_repeated());
        all.extend(lines.map(|line| named(line, layer)));
    }
    all.extend(head.iter().map(|line| named(line, 0)));
    all
}

/// The shape of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Table {
        role: Role,
        rows: usize,
        width: usize,
    },
    Linear {
        inputs: usize,
        outputs: usize,
    },
    Norm {
        width: usize,
    },
    /// A bias without a weight of its own.
    Bias {
        length: usize,
    },
}

impl Component {
    /// Returns the component's place. `layer` is the index of its layer, and ignored outside of layers.
    pub fn place(self, layer: usize) -> Place {
        match self {
            Self::WordTable
            | Self::PositionTable
            | Self::TokenTypeTable
            | Self::EmbeddingNorm
            | Self::EmbeddingProjection => Place::Embeddings,
            Self::Query
            | Self::Key
            | Self::Value
            | Self::Output
            | Self::AttentionNorm
            | Self::Up
            | Self::Down
            | Self::OutputNorm
            | Self::FinalNorm => Place::Layer(layer),
            Self::HeadDense | Self::MaskedDense | Self::MaskedNorm => Place::HeadDense,
            Self::Classifier | Self::DecoderBias => Place::Classifier,
        }
    }

    /// Returns whether every layer has the component.
    fn is_repeated(self) -> bool {
        self.place(0) == Place::Layer(0) && self != Self::FinalNorm
    }

    /// Returns the component's key in checkpoints, such as `layers.0.query`.
    pub(crate) fn path(self, layer: usize) -> String {
        let of_layer = |field: &str| format!("layers.{layer}.{field}");
        match self {
            Self::WordTable => "embeddings.word".into(),
            Self::PositionTable => "embeddings.position".into(),
            Self::TokenTypeTable => "embeddings.token_type".into(),
            Self::EmbeddingNorm => "embeddings.norm".into(),
            Self::EmbeddingProjection => "embeddings.projection".into(),
            Self::Query => of_layer("query"),
            Self::Key => of_layer("key"),
            Self::Value => of_layer("value"),
            Self::Output => of_layer("output"),
            Self::AttentionNorm => of_layer("attention_norm"),
            Self::Up => of_layer("up"),
            Self::Down => of_layer("down"),
            Self::OutputNorm => of_layer("output_norm"),
            Self::FinalNorm => "final_norm".into(),
            Self::HeadDense | Self::MaskedDense => "head.dense".into(),
            Self::MaskedNorm => "head.norm".into(),
            Self::DecoderBias => "head".into(),
            Self::Classifier => "head.classifier".into(),
        }
    }

    fn shape(self, config: &ModelConfig) -> Shape {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let embedding = config.embedding_size;
        let table = |role, rows| Shape::Table {
            role,
            rows,
            width: embedding,
        };
        let linear = |inputs, outputs| Shape::Linear { inputs, outputs };
        match self {
            Self::WordTable => table(Role::WordTable, config.vocab_size),
            Self::PositionTable => table(Role::PositionTable, config.max_position_embeddings),
            Self::TokenTypeTable => table(Role::TokenTypeTable, config.type_vocab_size),
            Self::EmbeddingNorm => Shape::Norm { width: embedding },
            Self::EmbeddingProjection => linear(embedding, hidden),
            Self::Query | Self::Key | Self::Value | Self::Output | Self::HeadDense => {
                linear(hidden, hidden)
            }
            Self::AttentionNorm | Self::OutputNorm | Self::FinalNorm => {
                Shape::Norm { width: hidden }
            }
            Self::Up => linear(hidden, inner),
            Self::Down => linear(inner, hidden),
            Self::Classifier => linear(hidden, config.outputs.num_labels()),
            Self::MaskedDense => linear(hidden, embedding),
            Self::MaskedNorm => Shape::Norm { width: embedding },
            Self::DecoderBias => Shape::Bias {
                length: config.vocab_size,
            },
        }
    }

    /// Lists the component's parameters; `name` is its name in files.
    fn parameters(self, config: &ModelConfig, layer: usize, name: &str) -> Vec<Parameter> {
        let parameter = |role: Role, shape: Vec<usize>| Parameter {
            path: role.path_of(&self.path(layer)),
            name: format!("{name}.{}", role.file_leaf()),
            shape,
            place: self.place(layer),
            role,
        };
        match self.shape(config) {
            Shape::Table { role, rows, width } => vec![parameter(role, vec![rows, width])],
            Shape::Linear { inputs, outputs } => vec![
                parameter(Role::LinearWeight, vec![outputs, inputs]),
                parameter(Role::Bias, vec![outputs]),
            ],
            Shape::Norm { width } => vec![
                parameter(Role::NormScale, vec![width]),
                parameter(Role::NormShift, vec![width]),
            ],
            Shape::Bias { length } => vec![parameter(Role::Bias, vec![length])],
        }
    }
}

impl Role {
    /// Returns the last part of the parameter's name in files.
    fn file_leaf(self) -> &'static str {
        match self {
            Self::Bias | Self::NormShift => "bias",
            _ => "weight",
        }
    }

    /// Returns the last part of a layer norm parameter's name in files of the first BERT checkpoints.
    pub(crate) fn old_file_leaf(self) -> Option<&'static str> {
        match self {
            Self::NormScale => Some("gamma"),
            Self::NormShift => Some("beta"),
            _ => None,
        }
    }

    /// Returns the checkpoint key of this parameter of the component whose key is `component`.
    pub(crate) fn path_of(self, component: &str) -> String {
        match self {
            Self::WordTable | Self::PositionTable | Self::TokenTypeTable => component.into(),
            Self::LinearWeight => format!("{component}.weight"),
            Self::Bias => format!("{component}.bias"),
            Self::NormScale => format!("{component}.gamma"),
            Self::NormShift => format!("{component}.beta"),
            Self::Adapter => format!("{component}.adapters"),
        }
    }
}

/// The identity of a parameter of a model or of one of its adapters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterId {
    /// Key in checkpoints, such as `layers.0.query.adapters.0.kind.Lora.a`.
    pub path: String,
    /// Place in the model; an adapter has that of its layer.
    pub place: Place,
    /// Function of the parameter.
    pub role: Role,
}

/// The parameters of a model, looked up by their checkpoint keys.
#[derive(Debug)]
pub struct ParameterTable {
    by_path: HashMap<String, (Place, Role)>,
    layers: usize,
}

impl ParameterTable {
    /// Creates the table of the classifier that `config` describes.
    pub fn new(config: &ModelConfig) -> Self {
        Self::of(config, parameters(config))
    }

    /// Creates the table of the masked language model that `config` describes.
    pub fn of_masked_lm(config: &ModelConfig) -> Self {
        Self::of(config, masked_lm_parameters(config))
    }

    fn of(config: &ModelConfig, parameters: Vec<Parameter>) -> Self {
        let parameters = parameters.into_iter();
        Self {
            by_path: parameters.map(|p| (p.path, (p.place, p.role))).collect(),
            layers: config.num_hidden_layers,
        }
    }

    /// Returns the number of encoder layers.
    pub fn num_layers(&self) -> usize {
        self.layers
    }

    /// Identifies the parameter with this checkpoint key, in the model or in an adapter of one of its
    /// linear layers; `None` if there is none.
    pub fn identify(&self, path: &str) -> Option<ParameterId> {
        let (place, role) = match split_adapter_path(path) {
            None => *self.by_path.get(path)?,
            Some((layer, parameter)) => {
                let weight = Role::LinearWeight.path_of(layer);
                let (place, _) = self.by_path.get(&weight)?;
                let role = match parameter {
                    AdapterParameter::CopyWeight => Role::LinearWeight,
                    AdapterParameter::CopyBias => Role::Bias,
                    AdapterParameter::Update => Role::Adapter,
                };
                (*place, role)
            }
        };
        Some(ParameterId {
            path: path.into(),
            place,
            role,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use burn::tensor::Device;
    use finetune_peft::{Adaptable, LoraConfig, PeftConfig, attach};
    use serde_json::json;

    use super::*;
    use crate::{
        family::{BERT, DISTILBERT, ELECTRA, FAMILIES, ROBERTA},
        testing::{config, config_with, model},
        visit_parameters,
    };

    /// The module tree holds the parameters that the table describes, with the same shapes and order.
    #[test]
    fn the_description_is_that_of_the_modules() {
        for family in FAMILIES {
            let config = config(family);
            let model = model(config.clone());
            let mut found = Vec::new();
            visit_parameters(&model, &mut |id, visited| {
                found.push((id.path.clone(), visited.shape(), id.place, id.role));
            });
            let described = parameters(&config).into_iter();
            let mut described: Vec<_> = described
                .map(|p| (p.path.clone(), p.model_shape(), p.place, p.role))
                .collect();
            let paths = |all: &[(String, Vec<usize>, Place, Role)]| -> Vec<String> {
                all.iter().map(|(path, ..)| path.clone()).collect()
            };
            assert_eq!(paths(&found), paths(&described), "{}", family.model_type);
            found.sort_by(|a, b| a.0.cmp(&b.0));
            described.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(found, described, "{}", family.model_type);
        }
    }

    /// Runs begun with earlier versions are resumed by these keys, in this order.
    #[test]
    fn checkpoints_keep_their_paths() {
        let config = config_with(&BERT, json!({ "num_hidden_layers": 1 }));
        let found: Vec<_> = parameters(&config).into_iter().map(|p| p.path).collect();
        let expected = "embeddings.word embeddings.position embeddings.token_type \
            embeddings.norm.gamma embeddings.norm.beta layers.0.query.weight layers.0.query.bias \
            layers.0.key.weight layers.0.key.bias layers.0.value.weight layers.0.value.bias \
            layers.0.output.weight layers.0.output.bias layers.0.attention_norm.gamma \
            layers.0.attention_norm.beta layers.0.up.weight layers.0.up.bias \
            layers.0.down.weight layers.0.down.bias layers.0.output_norm.gamma \
            layers.0.output_norm.beta head.dense.weight head.dense.bias head.classifier.weight \
            head.classifier.bias";
        assert_eq!(found.join(" "), expected);
    }

    #[test]
    fn tables_name_each_component_once_and_number_those_of_layers() {
        for family in FAMILIES {
            let mut seen = HashSet::new();
            for (component, name) in family.weights {
                assert!(
                    seen.insert(component),
                    "{}: {component:?}",
                    family.model_type
                );
                let is_of_layer = component.is_repeated();
                assert_eq!(
                    name.matches("{}").count(),
                    usize::from(is_of_layer),
                    "{name}"
                );
                let is_of_head = component.place(0).is_head();
                assert!(is_of_head || name.starts_with(family.prefix), "{name}");
            }
        }
    }

    #[test]
    fn names_and_shapes_of_files() {
        let all = parameters(&config(&ELECTRA));
        let shape = |name: &str| {
            let parameter = all.iter().find(|p| p.name == name);
            parameter.map(|p| (p.shape.clone(), p.place, p.role))
        };
        for (name, expected) in [
            (
                "electra.embeddings.word_embeddings.weight",
                (vec![23, 8], Place::Embeddings, Role::WordTable),
            ),
            (
                "electra.embeddings.position_embeddings.weight",
                (vec![17, 8], Place::Embeddings, Role::PositionTable),
            ),
            (
                "electra.embeddings.LayerNorm.weight",
                (vec![8], Place::Embeddings, Role::NormScale),
            ),
            (
                "electra.embeddings_project.weight",
                (vec![12, 8], Place::Embeddings, Role::LinearWeight),
            ),
            (
                "electra.encoder.layer.2.intermediate.dense.weight",
                (vec![20, 12], Place::Layer(2), Role::LinearWeight),
            ),
            (
                "electra.encoder.layer.1.output.dense.bias",
                (vec![12], Place::Layer(1), Role::Bias),
            ),
            (
                "electra.encoder.layer.0.output.LayerNorm.bias",
                (vec![12], Place::Layer(0), Role::NormShift),
            ),
            (
                "classifier.dense.weight",
                (vec![12, 12], Place::HeadDense, Role::LinearWeight),
            ),
            (
                "classifier.out_proj.weight",
                (vec![5, 12], Place::Classifier, Role::LinearWeight),
            ),
        ] {
            assert_eq!(shape(name), Some(expected), "{name}");
        }
        let equal = config_with(&ELECTRA, json!({ "embedding_size": 12 }));
        let projected = |p: &Parameter| p.name.contains("embeddings_project");
        assert!(!parameters(&equal).iter().any(projected));
    }

    #[test]
    fn places_of_modules_and_parameters() {
        let places = places(&config(&DISTILBERT));
        for (name, place) in [
            ("distilbert.embeddings.LayerNorm", Place::Embeddings),
            ("distilbert.transformer.layer.2.ffn.lin1", Place::Layer(2)),
            (
                "distilbert.transformer.layer.1.sa_layer_norm.bias",
                Place::Layer(1),
            ),
            ("pre_classifier", Place::HeadDense),
            ("classifier.weight", Place::Classifier),
        ] {
            assert_eq!(places.get(name), Some(&place), "{name}");
        }
    }

    #[test]
    fn backpropagation_stops_at_the_lowest_trained_layer() {
        for (place, lowest, is_head) in [
            (Place::Embeddings, Some(0), false),
            (Place::Layer(0), Some(0), false),
            (Place::Layer(5), Some(5), false),
            (Place::HeadDense, None, true),
            (Place::Classifier, None, true),
        ] {
            assert_eq!(place.lowest_layer(), lowest);
            assert_eq!(place.is_head(), is_head);
        }
    }

    #[test]
    fn adapters_belong_to_their_layers() {
        let mut model = model(config(&ROBERTA));
        let lora = PeftConfig::Lora(LoraConfig::new(2, 4.0).targets(["query", "dense"]));
        attach(&mut model, "a", &lora, 1, &Device::flex()).unwrap();
        let mut found = Vec::new();
        visit_parameters(&model, &mut |id, _| {
            if split_adapter_path(&id.path).is_some() {
                found.push((id.path.clone(), id.place, id.role));
            }
        });
        let lora = "adapters.0.kind.Lora";
        let copy = "head.classifier.adapters.0.kind.Copy";
        for expected in [
            (
                format!("layers.0.query.{lora}.a"),
                Place::Layer(0),
                Role::Adapter,
            ),
            (
                format!("layers.2.down.{lora}.b"),
                Place::Layer(2),
                Role::Adapter,
            ),
            (
                format!("{copy}.weight"),
                Place::Classifier,
                Role::LinearWeight,
            ),
            (format!("{copy}.bias"), Place::Classifier, Role::Bias),
        ] {
            assert!(found.contains(&expected), "{expected:?} in {found:?}");
        }
        // Four linear layers per encoder layer match, with two factors each; the head is copied whole.
        assert_eq!(found.len(), 3 * 4 * 2 + 4);
    }

    #[test]
    fn unknown_paths_are_nothing() {
        let table = ParameterTable::new(&config(&BERT));
        assert_eq!(table.num_layers(), 3);
        for path in [
            "layers.3.query.weight",
            "layers.0.gate.weight",
            "embeddings",
        ] {
            assert_eq!(table.identify(path), None, "{path}");
        }
    }

    #[test]
    fn adapters_come_to_linear_layers_in_the_tables_order() {
        let model = model(config(&ELECTRA));
        let linears = model.linears().into_iter().map(|(name, _)| name);
        let modules = modules(model.config()).into_iter();
        let linear = modules.filter(|m| matches!(m.kind, ModuleKind::Linear { .. }));
        let expected: Vec<_> = linear.map(|module| module.name).collect();
        assert_eq!(linears.collect::<Vec<_>>(), expected);
        assert_eq!(expected.len(), 1 + 3 * 6 + 2);
    }
}
