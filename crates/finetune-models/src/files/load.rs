//! Loads a model from a directory.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use burn::{
    Tensor,
    tensor::{Device, TensorData},
};
use rayon::prelude::*;

use super::{
    unused,
    weights::{Reader, Weights},
};
use crate::{
    ModelConfig, ModelError, Parameter, Place, SequenceClassifier, Task,
    fresh::{model_layout, of_head},
    parameters,
    values::{ShapedValues, Values},
};

/// The differences between the weights of a directory and those of the model loaded from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// The path of the weights file.
    pub weights: PathBuf,
    /// Weights of a new head, which were drawn at random, by transformers' names.
    pub fresh: Vec<String>,
    /// Whether they include the classifier.
    pub fresh_classifier: bool,
    /// Fresh weights that the file does contain, but for other outputs.
    pub replaced: Vec<String>,
    /// Weights in the file that the model does not use.
    pub unexpected: Vec<String>,
    /// The unexpected weights, summarised in a few clauses for messages.
    pub unused: Vec<String>,
}

impl LoadReport {
    /// Returns notes for the user about the weights.
    pub fn notes(&self) -> Vec<String> {
        let path = self.weights.display();
        let note = |clause| format!("{path} has weights without use here: {clause}");
        self.unused.iter().map(note).collect()
    }
}

/// Returns the [`LoadReport::notes`] that loading a directory would give, reading only the names and
/// shapes of its weights.
///
/// # Errors
/// Fails if files are missing or damaged, or if the weights do not fit `config`.
pub fn unused_weights(directory: &Path, config: &ModelConfig) -> Result<Vec<String>, ModelError> {
    let weights = Weights::open(directory)?;
    let plan = LoadPlan::new(config, &weights, parameters(config), &[], true)?;
    Ok(plan.report(&weights, config).notes())
}

/// Other names that files may have for a weight, and its own name; see
/// [`MaskedLmKind::same`](crate::family::MaskedLmKind::same).
type Same<'a> = &'a [(&'a str, &'a str)];

/// Reads the values of these parameters, of which those of the head are drawn with `seed` if the
/// directory lacks them.
///
/// # Errors
/// As [`SequenceClassifier::load`].
pub(crate) fn load_values(
    directory: &Path,
    config: &ModelConfig,
    parameters: Vec<Parameter>,
    same: Same<'_>,
    seed: u64,
) -> Result<(BTreeMap<String, ShapedValues>, LoadReport), ModelError> {
    let weights = Weights::open(directory)?;
    let plan = LoadPlan::new(config, &weights, parameters, same, true)?;
    let report = plan.report(&weights, config);
    let values = plan.read(&weights, seed, config.initializer_range)?;
    Ok((values, report))
}

impl SequenceClassifier {
    /// Loads a directory with `config.json` and weights as transformers writes them:
    /// `model.safetensors` or `pytorch_model.bin`, whole or in shards (f32, f16, bf16 or f64; with or
    /// without the family's prefix; `gamma` and `beta` as old names of norms' parameters).
    ///
    /// With `outputs`, the model gets a classifier for them: the directory's, if its outputs are the
    /// same, else one drawn from a normal distribution with `seed`. A missing encoder weight is an
    /// error; a missing head is initialised and reported.
    ///
    /// # Errors
    /// Fails if files are missing or damaged, if weights do not fit `config.json`, if an encoder weight
    /// is missing, or if a weight is not finite.
    pub fn load(
        directory: &Path,
        outputs: Option<Task>,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), ModelError> {
        let config = ModelConfig::from_directory(directory)?;
        Self::load_with(config, directory, outputs, seed, device)
    }

    /// [`load`](Self::load) of a directory whose `config` was read already.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_with(
        config: ModelConfig,
        directory: &Path,
        outputs: Option<Task>,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), ModelError> {
        let keep_classifier = outputs
            .as_ref()
            .is_none_or(|wanted| same_classifier(wanted, &config.outputs));
        let config = match outputs {
            Some(outputs) => config.with_outputs(outputs),
            None => config,
        };
        let (by_path, report) = classifier_values(&config, directory, keep_classifier, seed)?;
        let model = Self::new(&mut Values { by_path, device }, config)?;
        Ok((model, report))
    }

    /// Turns the model into one with the same encoder for other outputs. Its classifier is drawn with
    /// `seed`, as by [`load`](Self::load), unless the outputs are unchanged. All other tensors are
    /// shared, not copied.
    pub fn with_outputs(mut self, outputs: Task, seed: u64, device: &Device) -> Self {
        if !same_classifier(&outputs, &self.config().outputs) {
            return self.with_new_classifier(outputs, seed, device);
        }
        self.set_config(self.config().clone().with_outputs(outputs));
        self
    }

    /// Does the same as [`with_outputs`](Self::with_outputs), but draws the classifier in any case.
    pub fn with_new_classifier(mut self, outputs: Task, seed: u64, device: &Device) -> Self {
        let config = self.config().clone().with_outputs(outputs);
        let parameters = parameters(&config).into_iter();
        let mut classifier = parameters.filter(|p| p.place == Place::Classifier);
        let mut drawn = || {
            let parameter = classifier.next()?;
            let values = of_head(&parameter, seed, config.initializer_range);
            let values = model_layout(&parameter, values);
            Some(TensorData::new(values, parameter.model_shape()))
        };
        if let (Some(weight), Some(bias)) = (drawn(), drawn()) {
            self.head.classifier.replace(
                Tensor::from_data(weight, device),
                Tensor::from_data(bias, device),
            );
        }
        self.set_config(config);
        self
    }

    /// Reorders and renames the model's outputs: output `i` of `outputs` is the present output
    /// `order[i]`, with its weights and its bias, in adapters too.
    pub fn with_order(mut self, outputs: Task, order: &[usize]) -> Self {
        self.head.classifier.select_outputs(order);
        let config = self.config().clone().with_outputs(outputs);
        self.set_config(config);
        self
    }
}

/// Reads or draws the values of all parameters of the classifier that `config` describes; its final layer
/// is drawn unless `keep_classifier` is set.
///
/// # Errors
/// Fails as [`SequenceClassifier::load`] does.
pub(crate) fn classifier_values(
    config: &ModelConfig,
    directory: &Path,
    keep_classifier: bool,
    seed: u64,
) -> Result<(BTreeMap<String, ShapedValues>, LoadReport), ModelError> {
    let weights = Weights::open(directory)?;
    let plan = LoadPlan::new(config, &weights, parameters(config), &[], keep_classifier)?;
    let report = plan.report(&weights, config);
    let by_path = plan.read(&weights, seed, config.initializer_range)?;
    Ok((by_path, report))
}

/// Returns whether a classifier for `own` also serves for `wanted`. The name of a single regression
/// output does not matter.
fn same_classifier(wanted: &Task, own: &Task) -> bool {
    match (wanted, own) {
        (Task::Regression(wanted), Task::Regression(own)) if wanted.len() == 1 => own.len() == 1,
        (wanted, own) => wanted == own,
    }
}

/// Where a parameter's values come from.
struct Source {
    parameter: Parameter,
    /// Its name in the file, unless it is drawn at random.
    name: Option<String>,
    /// Other names under which the file must hold the same values.
    copies: Vec<String>,
}

/// The source of each parameter.
struct LoadPlan {
    /// By checkpoint key.
    sources: BTreeMap<String, Source>,
    fresh: Vec<String>,
    fresh_classifier: bool,
    replaced: Vec<String>,
    unexpected: Vec<String>,
}

impl LoadPlan {
    fn new(
        config: &ModelConfig,
        file: &Weights,
        parameters: Vec<Parameter>,
        same: Same<'_>,
        keep_classifier: bool,
    ) -> Result<Self, ModelError> {
        let family = config.family;
        let mut left: BTreeSet<String> = file.names().cloned().collect();
        let (mut sources, mut fresh) = (BTreeMap::new(), Vec::new());
        let (mut missing, mut mismatched) = (Vec::new(), Vec::new());
        let (mut replaced, mut fresh_classifier) = (Vec::new(), false);
        for parameter in parameters {
            let in_file = old_names(&parameter, family.prefix)
                .into_iter()
                .find(|name| left.remove(name));
            let others = same.iter().filter(|(_, name)| *name == parameter.name);
            let others = others.map(|(other, _)| other.to_string());
            let mut copies: Vec<_> = others.filter(|other| left.remove(other)).collect();
            let in_file = match in_file.is_none() && !copies.is_empty() {
                true => Some(copies.remove(0)),
                false => in_file,
            };
            let found = match parameter.place == Place::Classifier && !keep_classifier {
                true => {
                    replaced.extend(in_file);
                    None
                }
                false => in_file,
            };
            match &found {
                Some(name) => {
                    let shape = file.shape(name).unwrap_or_default();
                    if shape != parameter.shape {
                        mismatched.push(format!(
                            "{name}: the file has {shape:?}, config.json implies {:?}",
                            parameter.shape
                        ));
                    }
                }
                None if !parameter.place.is_head() => missing.push(parameter.name.clone()),
                None => {
                    fresh_classifier |= parameter.place == Place::Classifier;
                    fresh.push(parameter.name.clone());
                }
            }
            let source = Source {
                name: found,
                copies,
                parameter,
            };
            sources.insert(source.parameter.path.clone(), source);
        }
        if !missing.is_empty() {
            let found: Vec<_> = file.names().take(5).cloned().collect();
            return Err(ModelError::MissingWeights {
                path: file.path.clone(),
                model_type: family.model_type,
                missing,
                found: found.join(", "),
            });
        }
        if !mismatched.is_empty() {
            return Err(ModelError::Mismatch {
                path: file.path.clone(),
                problems: mismatched,
            });
        }
        let is_ignored = |name: &String| {
            let full = format!("{}{name}", family.prefix);
            let ignored = &mut family.ignored.iter();
            ignored.any(|start| name.starts_with(start) || full.starts_with(start))
        };
        let unexpected = left.into_iter().filter(|name| !is_ignored(name)).collect();
        Ok(Self {
            sources,
            fresh,
            fresh_classifier,
            replaced,
            unexpected,
        })
    }
}

/// Lists the names under which a file may store a parameter: transformers' name, the norms' old names,
/// and both without the family's prefix (a bare encoder).
fn old_names(parameter: &Parameter, prefix: &str) -> Vec<String> {
    let mut names = vec![parameter.name.clone()];
    if let (Some(leaf), Some((module, _))) = (
        parameter.role.old_file_leaf(),
        parameter.name.rsplit_once('.'),
    ) {
        names.push(format!("{module}.{leaf}"));
    }
    let bare = names.iter().filter_map(|name| name.strip_prefix(prefix));
    let bare: Vec<_> = bare.map(str::to_string).collect();
    names.extend(bare);
    names
}

impl LoadPlan {
    /// Reports the differences between the file and the model.
    fn report(&self, weights: &Weights, config: &ModelConfig) -> LoadReport {
        LoadReport {
            weights: weights.path.clone(),
            fresh: self.fresh.clone(),
            fresh_classifier: self.fresh_classifier,
            replaced: self.replaced.clone(),
            unused: unused::describe(&self.unexpected, config),
            unexpected: self.unexpected.clone(),
        }
    }

    /// Reads or draws all values, keyed by checkpoint key. It uses all cores, since most of the time
    /// goes into page faults and transposing.
    fn read(
        self,
        weights: &Weights,
        seed: u64,
        initializer_range: f64,
    ) -> Result<BTreeMap<String, ShapedValues>, ModelError> {
        type Planned = (String, Source);
        let read = |reader: &mut Reader<'_>, (our_path, source): Planned| {
            let Source {
                parameter,
                name,
                copies,
            } = source;
            let values = match &name {
                Some(name) => reader.read(name, parameter.is_transposed())?,
                None => model_layout(&parameter, of_head(&parameter, seed, initializer_range)),
            };
            for copy in copies {
                if reader.read(&copy, parameter.is_transposed())? != values {
                    return Err(ModelError::NotTied {
                        path: weights.path.clone(),
                        first: name.unwrap_or_default(),
                        second: copy,
                    });
                }
            }
            let shape = parameter.model_shape();
            let shaped = (values, shape);
            Ok((our_path, shaped))
        };
        let sources: Vec<Planned> = self.sources.into_iter().collect();
        // Each thread has file handles of its own.
        let values = sources.into_par_iter().map_init(|| weights.reader(), read);
        let values: Vec<Result<_, ModelError>> = values.collect();
        values.into_iter().collect()
    }
}
