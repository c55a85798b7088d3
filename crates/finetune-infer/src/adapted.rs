//! Puts an adapter from a directory on a base model, and decides whose head and outputs apply.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use finetune_models::{CONFIG, ModelConfig, SequenceClassifier};
use finetune_peft::{AdapterFile, AdapterPlan, adapter_outputs, load_adapter};
use finetune_task::{ProblemType, Task};

use crate::InferError;

/// Name of a model's only adapter, which is peft's default.
pub const ADAPTER: &str = "default";

/// A loaded model directory. Weights that it lacks are randomly initialised in `model`.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub model: SequenceClassifier,
    /// Names of the randomly initialised weights.
    pub fresh: Vec<String>,
    /// Remarks on the model's files for the user.
    pub notes: Vec<String>,
    pub directory: PathBuf,
}

/// The meaning of the outputs of a model with an adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterOutputs {
    /// The task and the names of the outputs.
    pub outputs: Task,
    /// Decision thresholds, as in [`ModelConfig::label_thresholds`].
    pub thresholds: Option<Vec<f64>>,
    /// Whether the adapter provides the head; otherwise the base model does.
    pub own_head: bool,
}

impl AdapterOutputs {
    /// Reads the outputs of an adapter's directory on the base model `base`. Their number is that of
    /// the adapter's head, or else of the base's. Their names come from the `config.json` beside the
    /// adapter, which peft does not write; else from the base model if the numbers agree; else they
    /// are `LABEL_0`, ….
    ///
    /// # Errors
    /// Fails if a file is missing or damaged, or if `config.json` contradicts the adapter or the base
    /// model.
    pub fn read(directory: &Path, base: &ModelConfig) -> Result<Self, InferError> {
        let head = adapter_outputs(directory, &base.classifier_name())?;
        let number = head.unwrap_or(base.outputs.num_labels());
        let own_head = head.is_some();
        if directory.join(CONFIG).exists() {
            let config = ModelConfig::from_directory(directory)?;
            check_encoder(directory, &config, base)?;
            // Without names, even the number of labels may be transformers' default.
            let has_names = config.outputs.num_labels() == number || !config.outputs.is_unnamed();
            if config.outputs.num_labels() != number && has_names {
                return Err(InferError::AdapterLabels {
                    config: directory.join(CONFIG),
                    names: config.outputs.num_labels(),
                    of: match own_head {
                        true => "adapter's head",
                        false => "base model's head",
                    },
                    outputs: number,
                });
            }
            if has_names {
                return Ok(Self {
                    outputs: config.outputs,
                    thresholds: config.label_thresholds,
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
        // As transformers does with `num_labels`: one output means regression.
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

/// Fails if the adapter's own `config.json` describes a different encoder from the base's.
fn check_encoder(
    directory: &Path,
    adapter: &ModelConfig,
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
    if adapter.family.model_type != base.family.model_type {
        let (own, base) = (adapter.family.model_type, base.family.model_type);
        return refuse("model_type", own.to_string(), base.to_string());
    }
    let (own, other) = (adapter.structure.settings(), base.structure.settings());
    if let Some(((key, own), (_, base))) = own.into_iter().zip(other).find(|(a, b)| a != b) {
        return refuse(key, own.to_string(), base.to_string());
    }
    let mut pairs = sizes(adapter).into_iter().zip(sizes(base));
    match pairs.find(|(adapter, base)| adapter != base) {
        Some(((key, adapter), (_, base))) => refuse(key, adapter.to_string(), base.to_string()),
        None => Ok(()),
    }
}

impl Base {
    /// Returns the base model with the adapter from a directory, for prediction.
    ///
    /// # Errors
    /// Fails if a file is missing or damaged, if the adapter is for another model, or if neither has
    /// all weights.
    pub fn with_adapter(
        &self,
        directory: &Path,
        device: &Device,
    ) -> Result<SequenceClassifier, InferError> {
        let mut model = self.model.clone();
        let AdapterOutputs {
            outputs,
            thresholds,
            own_head,
        } = AdapterOutputs::read(directory, model.config())?;
        match own_head {
            true => model = model.with_outputs(outputs, 0, device),
            false => model.name_outputs(outputs)?,
        }
        model.set_label_thresholds(thresholds);
        let (_, plan) = load_adapter(&mut model, ADAPTER, directory, device)?;
        self.check_complete(directory, &plan)?;
        Ok(model)
    }

    /// Fails if the adapter leaves randomly initialised weights in place.
    fn check_complete(&self, directory: &Path, plan: &AdapterPlan) -> Result<(), InferError> {
        let random = not_saved(&self.fresh, plan);
        if random.is_empty() {
            return Ok(());
        }
        Err(InferError::RandomWeights {
            base: self.directory.clone(),
            adapter: directory.into(),
            modules: distinct_modules(&random),
            missing: random,
        })
    }
}

/// Returns those of the weights `fresh` that belong to no module saved with the adapter.
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

/// Returns the modules of these parameters without duplicates.
fn distinct_modules(parameters: &[String]) -> Vec<String> {
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

/// Returns the directory of the base model that an adapter names.
///
/// # Errors
/// Fails if the adapter names no base model, or one that is not a directory on this machine.
pub(crate) fn base_directory(directory: &Path) -> Result<PathBuf, InferError> {
    let file = AdapterFile::read(directory)?;
    let found = file.base_directory(directory);
    found.ok_or_else(|| InferError::NoBase {
        adapter: directory.into(),
        base_model: file.base_model,
    })
}
