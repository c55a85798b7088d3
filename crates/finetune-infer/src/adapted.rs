//! A base model with an adapter from a directory: whose head, for what outputs.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use finetune_models::{CONFIG, ModelConfig, SequenceClassifier};
use finetune_peft::{AdapterFile, AdapterPlan, adapter_outputs, load_adapter};
use finetune_task::{ProblemType, Task};

use crate::InferError;

/// Name of the adapter of a model that has one: peft's own.
pub const ADAPTER: &str = "default";

/// A model directory whose weights are here. What it lacks is drawn at random in `model`.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub model: SequenceClassifier,
    /// The weights that were drawn.
    pub fresh: Vec<String>,
    /// What a person should know of its files.
    pub notes: Vec<String>,
    pub directory: PathBuf,
}

/// What the outputs of an adapter's model mean.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterOutputs {
    /// Their names, by task.
    pub outputs: Task,
    /// As [`ModelConfig::label_thresholds`].
    pub thresholds: Option<Vec<f64>>,
    /// Whether the adapter brings the head; else it is the base's.
    pub own_head: bool,
}

impl AdapterOutputs {
    /// Of an adapter's directory on the base model `base`: as many as its own head has, by the names
    /// in the `config.json` beside it, which peft does not write; else by the base's, if it has as
    /// many; else `LABEL_0`, ….
    ///
    /// # Errors
    /// Files that are missing or damaged; a `config.json` that contradicts the adapter or the base.
    pub fn read(directory: &Path, base: &ModelConfig) -> Result<Self, InferError> {
        let head = adapter_outputs(directory, &base.classifier_name())?;
        let number = head.unwrap_or(base.outputs.num_labels());
        let own_head = head.is_some();
        if directory.join(CONFIG).exists() {
            let own = ModelConfig::from_directory(directory)?;
            check_encoder(directory, &own, base)?;
            // Of a config.json that names nothing even the number may be transformers' default.
            let names_them = own.outputs.num_labels() == number || !own.outputs.is_unnamed();
            if own.outputs.num_labels() != number && names_them {
                return Err(InferError::AdapterLabels {
                    config: directory.join(CONFIG),
                    names: own.outputs.num_labels(),
                    of: match own_head {
                        true => "adapter's head",
                        false => "base model's head",
                    },
                    outputs: number,
                });
            }
            if names_them {
                return Ok(Self {
                    outputs: own.outputs,
                    thresholds: own.label_thresholds,
                    own_head,
                });
            }
        }
        if number == base.outputs.num_labels() {
            return Ok(Self {
                outputs: base.outputs.clone(),
                thresholds: base.label_thresholds.clone(),
                own_head,
            });
        }
        // As transformers with `num_labels`: one output is a number.
        let problem_type = match (base.outputs.problem_type(), number) {
            (_, 1) => ProblemType::Regression,
            (ProblemType::MultiLabelClassification, _) => ProblemType::MultiLabelClassification,
            _ => ProblemType::SingleLabelClassification,
        };
        let outputs = Task::new(problem_type, Task::default_names(number));
        Ok(Self {
            outputs,
            thresholds: None,
            own_head,
        })
    }
}

/// Refuses an adapter whose own `config.json` describes another encoder than the base's.
fn check_encoder(
    directory: &Path,
    own: &ModelConfig,
    base: &ModelConfig,
) -> Result<(), InferError> {
    let sizes = |config: &ModelConfig| {
        [
            ("hidden_size", config.hidden_size),
            ("num_hidden_layers", config.num_hidden_layers),
            ("intermediate_size", config.intermediate_size),
            ("vocab_size", config.vocab_size),
        ]
    };
    let refuse = |key: &'static str, own: String, base: String| {
        Err(InferError::OtherModel {
            adapter: directory.into(),
            key,
            own,
            base,
        })
    };
    if own.family.model_type != base.family.model_type {
        let (own, base) = (own.family.model_type, base.family.model_type);
        return refuse("model_type", own.to_string(), base.to_string());
    }
    let mut pairs = sizes(own).into_iter().zip(sizes(base));
    match pairs.find(|(own, base)| own != base) {
        Some(((key, own), (_, base))) => refuse(key, own.to_string(), base.to_string()),
        None => Ok(()),
    }
}

impl Base {
    /// The base with the adapter of a directory, for prediction.
    ///
    /// # Errors
    /// Files that are missing or damaged; an adapter of another model; weights that neither has.
    pub fn with_adapter(
        &self,
        directory: &Path,
        device: &Device,
    ) -> Result<SequenceClassifier, InferError> {
        let mut model = self.model.clone();
        let own = AdapterOutputs::read(directory, model.config())?;
        match own.own_head {
            true => model = model.with_outputs(own.outputs, 0, device),
            false => model.name_outputs(own.outputs)?,
        }
        model.set_label_thresholds(own.thresholds);
        let (_, plan) = load_adapter(&mut model, ADAPTER, directory, device)?;
        self.check_complete(directory, &plan)?;
        Ok(model)
    }

    /// Refuses weights that were drawn at random and that the adapter does not replace.
    fn check_complete(&self, directory: &Path, plan: &AdapterPlan) -> Result<(), InferError> {
        let random = not_saved(&self.fresh, plan);
        if random.is_empty() {
            return Ok(());
        }
        Err(InferError::RandomWeights {
            base: self.directory.clone(),
            adapter: directory.into(),
            modules: modules(&random),
            missing: random,
        })
    }
}

/// Those weights that no module that is saved with the adapter has.
pub fn not_saved(fresh: &[String], plan: &AdapterPlan) -> Vec<String> {
    let is_saved = |name: &&String| {
        let module = name.rsplit_once('.').map(|(module, _)| module);
        plan.saved
            .iter()
            .any(|saved| Some(saved.as_str()) == module)
    };
    fresh
        .iter()
        .filter(|name| !is_saved(name))
        .cloned()
        .collect()
}

/// The modules of parameters, each once.
fn modules(parameters: &[String]) -> Vec<String> {
    let mut modules: Vec<String> = Vec::new();
    for name in parameters {
        let module = name
            .rsplit_once('.')
            .map_or(name.as_str(), |(module, _)| module);
        if !modules.iter().any(|known| known == module) {
            modules.push(module.into());
        }
    }
    modules
}

/// The directory of the base model that an adapter names.
///
/// # Errors
/// An adapter that names none, or one that is no directory here.
pub(crate) fn base_directory(directory: &Path) -> Result<PathBuf, InferError> {
    let file = AdapterFile::read(directory)?;
    let found = file.base_directory(directory);
    found.ok_or_else(|| InferError::NoBase {
        adapter: directory.into(),
        base_model: file.base_model,
    })
}
