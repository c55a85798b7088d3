//! The model as `finetune-peft` sees it: modules by transformers' names.

use std::collections::BTreeMap;

use burn::{Tensor, module::Param};
use finetune_peft::{Adaptable, Linear, ModuleInfo, ModuleKind};

use crate::{EncoderLayer, Family, ModelConfig, SequenceClassifier, parameters};

/// All modules with parameters of the classifier that `config` describes, in the order of
/// [`parameters`].
pub fn modules(config: &ModelConfig) -> Vec<ModuleInfo> {
    let mut order = Vec::new();
    let mut found: BTreeMap<String, Vec<(String, Vec<usize>, bool)>> = BTreeMap::new();
    for parameter in parameters(config) {
        let Some((module, leaf)) = parameter.name.rsplit_once('.') else {
            continue;
        };
        let entry = found.entry(module.to_string()).or_default();
        if entry.is_empty() {
            order.push(module.to_string());
        }
        entry.push((leaf.into(), parameter.shape, parameter.transposed));
    }
    let module = |name: String| {
        let parameters = found.remove(&name).unwrap_or_default();
        let weight = parameters.iter().find(|(leaf, ..)| leaf == "weight");
        let kind = match weight.map(|(_, shape, linear)| (shape.as_slice(), *linear)) {
            Some((&[out_features, in_features], true)) => ModuleKind::Linear {
                in_features,
                out_features,
                bias: parameters.len() == 2,
            },
            _ => ModuleKind::Other {
                parameters: parameters
                    .into_iter()
                    .map(|(leaf, shape, _)| (leaf, shape))
                    .collect(),
            },
        };
        ModuleInfo { name, kind }
    };
    order.into_iter().map(module).collect()
}

/// transformers' name of the module at one of our paths.
fn name_of(family: &Family, path: &str, layer: usize) -> String {
    let name = family.weights.iter().find(|(ours, _)| *ours == path);
    name.map_or(path, |(_, name)| name)
        .replace("{}", &layer.to_string())
}

/// Our paths of a layer's linear layers, in the order of the two functions below.
const LINEARS: [&str; 6] = [
    "layers.{}.query",
    "layers.{}.key",
    "layers.{}.value",
    "layers.{}.output",
    "layers.{}.up",
    "layers.{}.down",
];

impl EncoderLayer {
    fn linears(&self) -> [&Linear; 6] {
        [
            &self.query,
            &self.key,
            &self.value,
            &self.output,
            &self.up,
            &self.down,
        ]
    }

    pub(crate) fn linears_mut(&mut self) -> [&mut Linear; 6] {
        [
            &mut self.query,
            &mut self.key,
            &mut self.value,
            &mut self.output,
            &mut self.up,
            &mut self.down,
        ]
    }

    fn biases(&self) -> [(&'static str, &Param<Tensor<1>>); 8] {
        [
            ("layers.{}.query", &self.query.bias),
            ("layers.{}.key", &self.key.bias),
            ("layers.{}.value", &self.value.bias),
            ("layers.{}.output", &self.output.bias),
            ("layers.{}.attention_norm", &self.attention_norm.beta),
            ("layers.{}.up", &self.up.bias),
            ("layers.{}.down", &self.down.bias),
            ("layers.{}.output_norm", &self.output_norm.beta),
        ]
    }

    fn biases_mut(&mut self) -> [(&'static str, &mut Param<Tensor<1>>); 8] {
        [
            ("layers.{}.query", &mut self.query.bias),
            ("layers.{}.key", &mut self.key.bias),
            ("layers.{}.value", &mut self.value.bias),
            ("layers.{}.output", &mut self.output.bias),
            ("layers.{}.attention_norm", &mut self.attention_norm.beta),
            ("layers.{}.up", &mut self.up.bias),
            ("layers.{}.down", &mut self.down.bias),
            ("layers.{}.output_norm", &mut self.output_norm.beta),
        ]
    }
}

impl Adaptable for SequenceClassifier {
    fn model_type(&self) -> &str {
        self.config().family.model_type
    }

    fn modules(&self) -> Vec<ModuleInfo> {
        modules(self.config())
    }

    fn linears(&self) -> Vec<(String, &Linear)> {
        let family = self.config().family;
        let layers = self.layers.iter().enumerate();
        let mut linears: Vec<_> = layers
            .flat_map(|(number, layer)| {
                let linears = LINEARS.into_iter().zip(layer.linears());
                linears.map(move |(path, linear)| (path, number, linear))
            })
            .collect();
        linears.push(("head.dense", 0, &self.head.dense));
        linears.push(("head.classifier", 0, &self.head.classifier));
        let named = |(path, number, linear)| (name_of(family, path, number), linear);
        linears.into_iter().map(named).collect()
    }

    fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        let family = self.config().family;
        let layers = self.layers.iter_mut().enumerate();
        let mut linears: Vec<_> = layers
            .flat_map(|(number, layer)| {
                let linears = LINEARS.into_iter().zip(layer.linears_mut());
                linears.map(move |(path, linear)| (path, number, linear))
            })
            .collect();
        linears.push(("head.dense", 0, &mut self.head.dense));
        linears.push(("head.classifier", 0, &mut self.head.classifier));
        let named = |(path, number, linear)| (name_of(family, path, number), linear);
        linears.into_iter().map(named).collect()
    }

    fn biases(&self) -> Vec<(String, &Param<Tensor<1>>)> {
        let family = self.config().family;
        let bias = |path: &str, number| format!("{}.bias", name_of(family, path, number));
        let mut biases = vec![(bias("embeddings.norm", 0), &self.embeddings.norm.beta)];
        for (number, layer) in self.layers.iter().enumerate() {
            for (path, parameter) in layer.biases() {
                biases.push((bias(path, number), parameter));
            }
        }
        biases.push((bias("head.dense", 0), &self.head.dense.bias));
        biases.push((bias("head.classifier", 0), &self.head.classifier.bias));
        biases
    }

    fn biases_mut(&mut self) -> Vec<(String, &mut Param<Tensor<1>>)> {
        let family = self.config().family;
        let bias = |path: &str, number| format!("{}.bias", name_of(family, path, number));
        let mut biases = vec![(bias("embeddings.norm", 0), &mut self.embeddings.norm.beta)];
        for (number, layer) in self.layers.iter_mut().enumerate() {
            for (path, parameter) in layer.biases_mut() {
                biases.push((bias(path, number), parameter));
            }
        }
        biases.push((bias("head.dense", 0), &mut self.head.dense.bias));
        biases.push((bias("head.classifier", 0), &mut self.head.classifier.bias));
        biases
    }
}
