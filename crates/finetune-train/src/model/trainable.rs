//! The parameters that a strategy trains.

use std::collections::HashSet;

use fancy_regex::Regex;
use finetune_models::{
    Described, ModelConfig, Parameter, Place, Role, parameters, set_trained, visit_parameters,
};

use crate::{
    ModelPlan, Strategy, TrainError,
    model::common_names::{WORDS, known_as},
};

/// The parameters trained by a strategy without an adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Trainable {
    /// The parameters, in the model's order.
    pub parameters: Vec<Parameter>,
    /// Number of their elements.
    pub trainable: u64,
    /// Number of elements of the model.
    pub all: u64,
}

impl Trainable {
    /// Selects the parameters that `strategy` trains in the model that `config` describes.
    ///
    /// # Errors
    /// Fails if a layer does not exist, or a pattern is invalid or matches nothing.
    pub fn new(strategy: &Strategy, config: &ModelConfig) -> Result<Self, TrainError> {
        Self::among(parameters(config), strategy, config)
    }

    /// Selects among `all` parameters of another model on the encoder that `config` describes.
    ///
    /// # Errors
    /// Fails like [`new`](Self::new).
    pub fn among(
        all: Vec<Parameter>,
        strategy: &Strategy,
        config: &ModelConfig,
    ) -> Result<Self, TrainError> {
        let layers = config.num_hidden_layers;
        let numbers = match strategy {
            Strategy::Last(count) if *count > layers => {
                return Err(TrainError::TooFewLayers {
                    strategy: strategy.to_string(),
                    layers,
                });
            }
            Strategy::Last(count) => (layers - count..layers).collect(),
            Strategy::Layers(numbers) => numbers.clone(),
            _ => Vec::new(),
        };
        if let Some(&layer) = numbers.iter().find(|&&number| number >= layers) {
            return Err(TrainError::NoLayer {
                strategy: strategy.to_string(),
                layer,
                layers,
            });
        }
        let pattern = match strategy {
            Strategy::Params(pattern) => {
                Some(Regex::new(pattern).map_err(|error| TrainError::Pattern {
                    strategy: strategy.to_string(),
                    source: Box::new(error),
                })?)
            }
            _ => None,
        };
        let trains = |parameter: &&Parameter| match (strategy, &pattern) {
            (Strategy::Full | Strategy::Contrastive, _) => true,
            (Strategy::Features, _) => false,
            (_, Some(pattern)) => {
                let name = known_as(parameter, pattern.as_str(), config.family);
                pattern.is_match(&name).unwrap_or(false)
            }
            _ if parameter.place.is_head() => true,
            (Strategy::BitFit, _) => matches!(parameter.role, Role::Bias | Role::NormShift),
            _ => matches!(parameter.place, Place::Layer(number) if numbers.contains(&number)),
        };
        let chosen: Vec<_> = all.iter().filter(trains).cloned().collect();
        if let (Strategy::Params(pattern), true) = (strategy, chosen.is_empty()) {
            return Err(TrainError::NoParameter {
                strategy: strategy.to_string(),
                model_type: config.family.model_type,
                nearest: nearest(pattern, &all),
            });
        }
        Ok(Self {
            trainable: elements(&chosen),
            all: elements(&all),
            parameters: chosen,
        })
    }

    /// Leaves out the word table, if `plan` freezes it.
    ///
    /// # Errors
    /// Fails if nothing else would be trained.
    pub fn but_frozen(mut self, plan: &ModelPlan) -> Result<Self, TrainError> {
        if !plan.freeze_embeddings || self.parameters.is_empty() {
            return Ok(self);
        }
        self.parameters.retain(|p| p.role != Role::WordTable);
        self.trainable = elements(&self.parameters);
        match self.parameters.is_empty() {
            true => Err(TrainError::Conflict {
                keys: ["freeze_embeddings", "strategy"],
                problem: format!(
                    "strategy {} trains the word table alone, but freeze_embeddings keeps it as it is; leave one of them out",
                    plan.strategy
                ),
            }),
            false => Ok(self),
        }
    }

    /// Enables gradients for these parameters of `model`, and disables them for all others.
    pub fn apply<M: Described>(&self, model: M) -> M {
        let trained: HashSet<&str> = self.parameters.iter().map(|p| p.path.as_str()).collect();
        set_trained(model, &|id| trained.contains(id.path.as_str()))
    }
}

/// Returns the lowest layer of `model` (in training mode) that gradients must reach: 0 if the
/// embeddings are trained, the number of layers if only the head is. Everything below is a fixed
/// function of the text.
pub fn lowest_trained_layer<M: Described>(model: &M) -> usize {
    let mut lowest = model.parameter_table().num_layers();
    visit_parameters(model, &mut |id, parameter| {
        if parameter.is_trained()
            && let Some(layer) = id.place.lowest_layer()
        {
            lowest = lowest.min(layer);
        }
    });
    lowest
}

fn elements(parameters: &[Parameter]) -> u64 {
    let each = parameters.iter().map(Parameter::num_elements);
    each.sum::<usize>() as u64
}

/// Similarity from which a word is near another, and not merely the nearest.
const NEAR: f64 = 0.85;

/// Returns a few names similar to the pattern: the words that mean the same in every family if one of them
/// is near, and otherwise those of parameters.
fn nearest(pattern: &str, all: &[Parameter]) -> String {
    let spoken: Vec<_> = pattern
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let similarity = |word: &str| {
        let each = spoken.iter().map(|part| strsim::jaro_winkler(part, word));
        each.fold(0.0, f64::max)
    };
    let near = WORDS.iter().filter(|word| similarity(word) >= NEAR);
    let near: Vec<_> = near.copied().collect();
    if !near.is_empty() {
        return near.join(", ");
    }
    let mut scored: Vec<_> = all
        .iter()
        .map(|parameter| {
            let parts = parameter.name.split('.');
            let parts = parts.map(|part| strsim::jaro_winkler(pattern, part));
            let whole = strsim::jaro_winkler(pattern, &parameter.name);
            (parts.fold(whole, f64::max), parameter.name.as_str())
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let names = scored.into_iter().take(4).map(|(_, name)| name);
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use finetune_models::{Family, family::FAMILIES};

    use super::*;

    fn config(model_type: &str) -> ModelConfig {
        let sizes = serde_json::json!({
            "model_type": model_type, "vocab_size": 9, "max_position_embeddings": 9, "type_vocab_size": 2,
            "hidden_size": 4, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8,
            "embedding_size": 4, "hidden_act": "gelu", "activation": "gelu", "dim": 4, "n_layers": 2, "n_heads": 2, "hidden_dim": 8,
        });
        ModelConfig::parse(&sizes.to_string(), Path::new("config.json")).unwrap()
    }

    fn chosen(pattern: &str, config: &ModelConfig) -> Vec<(Place, Role, Vec<usize>)> {
        let strategy = Strategy::Params(pattern.into());
        let trainable = Trainable::new(&strategy, config).unwrap();
        let each = trainable.parameters.into_iter();
        each.map(|p| (p.place, p.role, p.shape)).collect()
    }

    /// The exercise of the course's lab: the second feed-forward layer of every block, and the head.
    #[test]
    fn one_pattern_means_the_same_in_every_family() {
        let of_others = |family: &&&Family| family.structure.is_some();
        for family in FAMILIES.iter().filter(of_others) {
            let config = config(family.model_type);
            let found = chosen("linear2|head", &config);
            let second = |layer| {
                [
                    (Place::Layer(layer), Role::LinearWeight, vec![4, 8]),
                    (Place::Layer(layer), Role::Bias, vec![4]),
                ]
            };
            let mut expected = [second(0), second(1)].concat();
            let heads = parameters(&config)
                .into_iter()
                .filter(|p| p.place.is_head());
            expected.extend(heads.map(|p| (p.place, p.role, p.shape)));
            assert_eq!(found, expected, "{}", family.model_type);
            let one = chosen(r"layer\.1\.linear1\.weight", &config);
            let first = (Place::Layer(1), Role::LinearWeight, vec![8, 4]);
            assert_eq!(one, [first], "{}", family.model_type);
            // What a pattern excludes by this name is excluded.
            let all = parameters(&config).len();
            let others = chosen("^(?!.*linear2)(?!head)", &config).len();
            assert_eq!(others + expected.len(), all, "{}", family.model_type);
        }
    }

    /// Without those words, names are transformers' alone.
    #[test]
    fn other_patterns_see_the_names_of_files() {
        let config = config("bert");
        let second = chosen(r"layer\.\d+\.output\.dense|^classifier", &config);
        assert_eq!(second.len(), 6);
        let rest = chosen("^(?!.*output)(?!classifier)", &config);
        assert!(rest.iter().any(|(place, ..)| *place == Place::HeadDense));
    }

    #[test]
    fn a_misspelt_word_has_the_words_beside_it() {
        let config = config("bert");
        let suggested = |pattern: &str| {
            let strategy = Strategy::Params(pattern.into());
            let error = Trainable::new(&strategy, &config).unwrap_err().to_string();
            error
                .split_once("the nearest names are ")
                .unwrap()
                .1
                .to_string()
        };
        assert_eq!(suggested("linear3"), "linear1, linear2");
        assert_eq!(suggested(r"layer\.0\.liner1\.weight"), "linear1, linear2");
        assert_eq!(suggested("heads"), "head");
        assert!(suggested("qury").contains("attention.self.query.weight"));
    }
}
