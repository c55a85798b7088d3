//! Reads and writes adapter directories (`adapter_config.json` and `adapter_model.safetensors`) as peft
//! does.

use std::{collections::BTreeMap, fs, path::Path};

use burn::{Tensor, module::Param, tensor::Device};
use finetune_kernels::transpose;

use crate::{
    Adaptable, AdaptedKind, AdaptedModule, Adapter, AdapterFile, AdapterKind, AdapterPlan, Ia3,
    LinearCopy, Lora, NamedTensor, PeftConfig, PeftError,
    attach::set_active,
    conversion,
    init::tensor,
    principal::{check_alone, check_determined, principals, take_out},
    weights_file::{self, FileTensor},
    write_tensors,
};

/// File name of an adapter's configuration.
pub const CONFIG: &str = "adapter_config.json";
/// File name of an adapter's weights.
pub const WEIGHTS: &str = "adapter_model.safetensors";
/// File name of the weights as older versions of peft, or `safe_serialization=False`, write them.
pub(crate) const PICKLE: &str = "adapter_model.bin";

/// Returns the tensors of the adapter called `name`, under peft's names and in its layout. For PiSSA
/// and OLoRA, they are the update of the original base model, which has twice the rank.
///
/// # Errors
/// Fails if the configuration does not fit the model.
pub fn adapter_tensors<M: Adaptable>(
    model: &M,
    name: &str,
    config: &PeftConfig,
) -> Result<Vec<NamedTensor>, PeftError> {
    let plan = config.plan(model.model_type(), &model.modules())?;
    let mut tensors = Vec::new();
    for (module, linear) in model.linears() {
        let Some(adapter) = linear.adapter(name) else {
            continue;
        };
        let full = |leaf: &str| format!("base_model.model.{module}.{leaf}");
        match &adapter.kind {
            AdapterKind::Lora(lora) => {
                let (a, b) = factors(lora);
                tensors.push(NamedTensor::transposed(full("lora_A.weight"), a));
                tensors.push(NamedTensor::transposed(full("lora_B.weight"), b));
                if let Some(magnitude) = &lora.magnitude {
                    let length = vec![linear.out_features()];
                    let name = full("lora_magnitude_vector");
                    tensors.push(NamedTensor::vector(name, magnitude.val(), length));
                }
            }
            AdapterKind::Ia3(ia3) => {
                let shape = match ia3.is_feedforward() {
                    true => vec![1, linear.in_features()],
                    false => vec![linear.out_features(), 1],
                };
                tensors.push(NamedTensor::vector(full("ia3_l"), ia3.scale.val(), shape));
            }
            AdapterKind::Copy(copy) => {
                let length = vec![linear.out_features()];
                tensors.push(NamedTensor::transposed(full("weight"), copy.weight.val()));
                tensors.push(NamedTensor::vector(full("bias"), copy.bias.val(), length));
            }
        }
    }
    for (bias, value) in model.biases() {
        if plan.biases.contains(&bias) {
            let module = bias.strip_suffix(".bias").unwrap_or(&bias);
            let adapted = plan.adapted.iter().any(|adapted| adapted.name == module);
            let wrapper = if adapted { ".base_layer" } else { "" };
            let name = format!("base_model.model.{module}{wrapper}.bias");
            let length = value.shape().dims::<1>().to_vec();
            tensors.push(NamedTensor::vector(name, value.val(), length));
        }
    }
    Ok(tensors)
}

/// Returns `A` and `B` relative to the original base weight.
fn factors(lora: &Lora) -> (Tensor<2>, Tensor<2>) {
    let (a, b) = (lora.a.val().inner(), lora.b.val().inner());
    match lora.initial() {
        None => (a, b),
        Some((a0, b0)) => (
            Tensor::cat(vec![a, a0.clone()], 1),
            Tensor::cat(vec![b, b0.clone().neg()], 0),
        ),
    }
}

/// Writes the adapter called `name` to `directory`, which exists: one that
/// [`finetune_files::publish_directory`] publishes, which syncs the files. `file` is its configuration, as it
/// was attached.
///
/// # Errors
/// Fails if a file cannot be written or the configuration does not fit the model.
pub fn save_adapter<M: Adaptable>(
    model: &M,
    name: &str,
    file: &AdapterFile,
    directory: &Path,
) -> Result<(), PeftError> {
    let tensors = adapter_tensors(model, name, &file.config)?;
    let path = directory.join(CONFIG);
    fs::write(&path, adapter_config(file, model)?).map_err(PeftError::file("write", &path))?;
    let path = directory.join(WEIGHTS);
    write_tensors(&path, tensors).map_err(PeftError::file("write", &path))
}

/// Returns the text of the `adapter_config.json` that belongs to [`adapter_tensors`]. Its targets are
/// written such that peft finds the same layers.
///
/// # Errors
/// Fails if the configuration does not fit the model.
pub fn adapter_config<M: Adaptable>(file: &AdapterFile, model: &M) -> Result<String, PeftError> {
    let file = AdapterFile {
        config: file.config.written(model.model_type(), &model.modules())?,
        ..file.clone()
    };
    Ok(conversion::converted(&file).to_json())
}

/// Returns the number of outputs of the head in an adapter's directory, or `None` if it has no head.
/// `classifier` is the name of the head's final linear layer.
///
/// # Errors
/// Fails if the weights file is missing or damaged.
pub fn adapter_outputs(directory: &Path, classifier: &str) -> Result<Option<usize>, PeftError> {
    let shapes = weights_file::shapes(directory)?;
    let weight = shapes.get(&format!("{classifier}.weight"));
    Ok(weight.and_then(|shape| shape.first().copied()))
}

/// Loads an adapter from its directory, attaches it as `name` and makes it the active one. If peft
/// changed the base weights for the adapter (PiSSA, OLoRA), so does this function, and the model takes
/// no other adapter.
///
/// # Errors
/// Fails if files are missing or damaged, or belong to another model.
pub fn load_adapter<M: Adaptable>(
    model: &mut M,
    name: &str,
    directory: &Path,
    device: &Device,
) -> Result<(AdapterFile, AdapterPlan), PeftError> {
    let file = AdapterFile::read(directory)?;
    let init = file.config.init();
    check_alone(model, init)?;
    let plan = file.config.plan(model.model_type(), &model.modules());
    let plan = plan.map_err(|error| PeftError::ConfigFile {
        path: directory.join(CONFIG),
        problem: error.to_string(),
    })?;
    let mut values = Values::open(directory, &file, model.model_type())?;
    let dropout = match &file.config {
        PeftConfig::Lora(config) => config.lora_dropout,
        PeftConfig::Ia3(_) => 0.0,
    };
    let mut adapters = Vec::new();
    for (module, linear) in model.linears() {
        let [inputs, outputs] = [linear.in_features(), linear.out_features()];
        let adapted = plan.adapted.iter().find(|adapted| adapted.name == module);
        adapters.push(if plan.saved.contains(&module) {
            let weight = values.matrix(&format!("{module}.weight"), [inputs, outputs], device);
            let bias = values.vector(&format!("{module}.bias"), &[outputs], device);
            weight
                .zip(bias)
                .map(|(weight, bias)| AdapterKind::Copy(LinearCopy { weight, bias }))
        } else if let Some(adapted) = adapted {
            values.adapter(adapted, dropout, device)
        } else {
            None
        });
    }
    let biases = values.biases(&*model, &plan, device);
    values.finish(directory)?;
    let mut principals = principals(model, &plan, init, device);
    check_determined(&principals, init)?;

    for (number, ((module, linear), kind)) in
        model.linears_mut().into_iter().zip(adapters).enumerate()
    {
        let kind = match (kind, principals.remove(&module)) {
            (Some(AdapterKind::Lora(lora)), Some(principal)) => {
                take_out(linear, &principal, lora.scaling());
                Some(AdapterKind::Lora(
                    lora.with_initial(principal.a, principal.b),
                ))
            }
            (kind, _) => kind,
        };
        if let Some(kind) = kind {
            linear.attach(Adapter::new(name, kind), number);
        }
    }
    set_biases(model, biases);
    set_active(model, Some(name))?;
    Ok((file, plan))
}

fn set_biases<M: Adaptable>(model: &mut M, mut values: BTreeMap<String, Param<Tensor<1>>>) {
    for (name, bias) in model.biases_mut() {
        if let Some(value) = values.remove(&name) {
            *bias = value;
        }
    }
}

/// The tensors of a file that have not been assigned to the model yet.
struct Values {
    left: BTreeMap<String, FileTensor>,
    problems: Vec<String>,
    base: String,
    model_type: String,
}

impl Values {
    fn open(directory: &Path, file: &AdapterFile, model_type: &str) -> Result<Self, PeftError> {
        Ok(Self {
            left: weights_file::read(directory)?,
            problems: Vec::new(),
            base: match file.base_model.is_empty() {
                true => "a model that it does not name".into(),
                false => file.base_model.clone(),
            },
            model_type: model_type.into(),
        })
    }

    /// Takes a tensor of this shape from the file; returns `None` and records the problem if there is
    /// none.
    fn take(&mut self, name: &str, shape: &[usize]) -> Option<Vec<f32>> {
        match self.left.remove(name) {
            None => {
                self.problems.push(format!("{name}: missing"));
                None
            }
            Some((found, _)) if found != shape => {
                self.problems.push(format!(
                    "{name}: the adapter has {found:?}, the model needs {shape:?}"
                ));
                None
            }
            Some((_, values)) => Some(values),
        }
    }

    /// Takes a weight, `[in, out]` in the model and `[out, in]` in the file.
    fn matrix(
        &mut self,
        name: &str,
        [inputs, outputs]: [usize; 2],
        device: &Device,
    ) -> Option<Param<Tensor<2>>> {
        let values = self.take(name, &[outputs, inputs])?;
        let values = transpose(&values, outputs, inputs);
        Some(Param::from_tensor(tensor(
            values,
            [inputs, outputs],
            device,
        )))
    }

    fn vector(&mut self, name: &str, shape: &[usize], device: &Device) -> Option<Param<Tensor<1>>> {
        let values = self.take(name, shape)?;
        let length = values.len();
        Some(Param::from_tensor(tensor(values, [length], device)))
    }

    fn adapter(
        &mut self,
        module: &AdaptedModule,
        dropout: f64,
        device: &Device,
    ) -> Option<AdapterKind> {
        let (inputs, outputs) = (module.in_features, module.out_features);
        let full = |leaf: &str| format!("{}.{leaf}", module.name);
        match module.kind {
            AdaptedKind::Lora { r, scaling, dora } => {
                let a = self.matrix(&full("lora_A.weight"), [inputs, r], device);
                let b = self.matrix(&full("lora_B.weight"), [r, outputs], device);
                let magnitude = match dora {
                    false => None,
                    true => {
                        Some(self.vector(&full("lora_magnitude_vector"), &[outputs], device)?)
                    }
                };
                let (a, b) = a.zip(b)?;
                Some(AdapterKind::Lora(Lora::new(
                    a, b, magnitude, scaling, dropout,
                )))
            }
            AdaptedKind::Ia3 { feedforward } => {
                let shape = if feedforward {
                    [1, inputs]
                } else {
                    [outputs, 1]
                };
                let scale = self.vector(&full("ia3_l"), &shape, device)?;
                Some(AdapterKind::Ia3(Ia3::new(scale, feedforward)))
            }
        }
    }

    /// Takes the biases of the base model that are saved with the adapter.
    fn biases<M: Adaptable>(
        &mut self,
        model: &M,
        plan: &AdapterPlan,
        device: &Device,
    ) -> BTreeMap<String, Param<Tensor<1>>> {
        let mut biases = BTreeMap::new();
        for (name, bias) in model.biases() {
            if plan.biases.contains(&name) {
                let length = bias.shape().dims::<1>();
                if let Some(value) = self.vector(&name, &length, device) {
                    biases.insert(name, value);
                }
            }
        }
        biases
    }

    /// Fails unless every tensor of the file and of the model found its counterpart.
    fn finish(self, directory: &Path) -> Result<(), PeftError> {
        let mut problems = self.problems;
        let left = self.left.into_iter();
        problems.extend(left.map(|(name, (shape, _))| {
            format!("{name}: the adapter has it ({shape:?}), but the model has no place for it")
        }));
        match problems.is_empty() {
            true => Ok(()),
            false => Err(PeftError::OtherBase {
                path: directory.into(),
                model_type: self.model_type,
                base: self.base,
                problems,
            }),
        }
    }
}
