//! Putting fresh adapters onto a model, and choosing among those that it has.

use burn::{
    Tensor,
    module::{Module, ModuleMapper, Param},
    tensor::Device,
};

use crate::{
    Adaptable, AdaptedKind, Adapter, AdapterKind, AdapterPlan, Ia3, Init, Linear, LinearCopy, Lora,
    PeftConfig, PeftError,
    init::{gaussian, kaiming_uniform, pissa, zeros},
    lora::norms,
};

/// Adapters' random streams begin here, beyond those of fresh heads.
const FIRST_STREAM: u32 = 1 << 16;

/// Attaches a fresh adapter called `name` and makes it the active one. The initial values are a
/// pure function of `seed` and the model. With `init_lora_weights = "pissa"` the base weights
/// change: their largest part moves into the adapter.
pub fn attach<M: Adaptable>(
    model: &mut M,
    name: &str,
    config: &PeftConfig,
    seed: u64,
    device: &Device,
) -> Result<AdapterPlan, PeftError> {
    let plan = config.plan(model.model_type(), &model.modules())?;
    plan.check_ranks()?;
    for (number, (module, linear)) in model.linears_mut().into_iter().enumerate() {
        let kind = if plan.saved.contains(&module) {
            AdapterKind::Copy(copy(linear))
        } else if let Some(adapted) = plan.adapted.iter().find(|adapted| adapted.name == module) {
            let stream = FIRST_STREAM + number as u32;
            match adapted.kind {
                AdaptedKind::Lora { r, scaling, dora } => AdapterKind::Lora(fresh_lora(
                    linear, config, r, scaling, dora, seed, stream, device,
                )),
                AdaptedKind::Ia3 { feedforward } => {
                    let length = match feedforward {
                        true => linear.in_features(),
                        false => linear.out_features(),
                    };
                    let ones = Tensor::ones([length], device);
                    AdapterKind::Ia3(Ia3::new(Param::from_tensor(ones), feedforward))
                }
            }
        } else {
            continue;
        };
        linear.attach(Adapter::new(name, kind), number);
    }
    set_active(model, Some(name))?;
    Ok(plan)
}

/// The layer's own weights once more.
pub(crate) fn copy(linear: &Linear) -> LinearCopy {
    LinearCopy {
        weight: Param::from_tensor(linear.weight.val().inner()),
        bias: Param::from_tensor(linear.bias.val().inner()),
    }
}

#[allow(clippy::too_many_arguments)]
fn fresh_lora(
    linear: &mut Linear,
    config: &PeftConfig,
    r: usize,
    scaling: f64,
    dora: bool,
    seed: u64,
    stream: u32,
    device: &Device,
) -> Lora {
    let (init, dropout) = match config {
        PeftConfig::Lora(config) => (config.init_lora_weights, config.lora_dropout),
        PeftConfig::Ia3(_) => (Init::default(), 0.0),
    };
    let [inputs, outputs] = [linear.in_features(), linear.out_features()];
    let (a, b) = match init {
        Init::KaimingUniform => (
            kaiming_uniform(seed, stream, [inputs, r], device),
            zeros([r, outputs], device),
        ),
        Init::Gaussian => (
            gaussian(seed, stream, [inputs, r], device),
            zeros([r, outputs], device),
        ),
        Init::Pissa => {
            let (a, b) = pissa(&linear.weight.val(), r, scaling, device);
            let taken = a.val().matmul(b.val()) * scaling;
            linear.weight = linear.weight.clone().map(|weight| weight.inner() - taken);
            (a, b)
        }
    };
    let magnitude = dora.then(|| {
        let weight = linear.weight.val().inner();
        Param::from_tensor(norms(weight, a.val(), b.val(), scaling))
    });
    let lora = Lora::new(a, b, magnitude, scaling, dropout);
    match init {
        Init::Pissa => lora.with_initial(),
        _ => lora,
    }
}

/// Uses the adapter called `name` in every layer that has it, or with `None` the base model alone.
pub fn set_active<M: Adaptable>(model: &mut M, name: Option<&str>) -> Result<(), PeftError> {
    if let Some(name) = name {
        let found = adapter_names(model);
        if !found.iter().any(|other| other == name) {
            return Err(PeftError::UnknownAdapter {
                name: name.into(),
                found: match found.is_empty() {
                    true => "none".into(),
                    false => found.join(", "),
                },
            });
        }
    }
    for (_, linear) in model.linears_mut() {
        linear.activate(name);
    }
    Ok(())
}

/// Names of the adapters, in the order in which they were attached.
pub fn adapter_names<M: Adaptable>(model: &M) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (_, linear) in model.linears() {
        for adapter in &linear.adapters {
            if !names.iter().any(|name| name == adapter.name()) {
                names.push(adapter.name().into());
            }
        }
    }
    names
}

/// Lets gradients reach the adapter called `name`, the biases that go with it, and nothing else.
pub fn train_adapter<M: Adaptable + Module>(model: M, name: &str, plan: &AdapterPlan) -> M {
    struct Freeze;
    impl ModuleMapper for Freeze {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.set_require_grad(false)
        }
    }
    struct Unfreeze;
    impl ModuleMapper for Unfreeze {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.set_require_grad(true)
        }
    }
    let mut model = model.map(&mut Freeze);
    for (_, linear) in model.linears_mut() {
        for adapter in &mut linear.adapters {
            if adapter.name() == name {
                adapter.kind = adapter.kind.clone().map(&mut Unfreeze);
            }
        }
    }
    for (full_name, bias) in model.biases_mut() {
        if plan.biases.contains(&full_name) {
            *bias = bias.clone().set_require_grad(true);
        }
    }
    model
}
