//! Attaches fresh adapters to a model and selects the active one.

use burn::{
    Tensor,
    module::{Module, Param},
    tensor::Device,
};
use finetune_kernels::Stream;

use crate::{
    Adaptable, AdaptedKind, Adapter, AdapterKind, AdapterPlan, Ia3, Init, Linear, LinearCopy, Lora,
    PeftConfig, PeftError,
    init::{gaussian, kaiming_uniform},
    lora::norms,
    principal::{check_alone, principals, take_out},
    walk::set_trained,
};

/// Attaches a fresh adapter called `name` and makes it the active one. The initial values depend on
/// `seed` and the model alone. An `init_lora_weights` of `"pissa"` or `"olora"` moves a part of the
/// base weights into the adapter; the model then takes no other adapter.
///
/// # Errors
/// Fails if the configuration is invalid for a fresh adapter or does not fit the model.
pub fn attach<M: Adaptable>(
    model: &mut M,
    name: &str,
    config: &PeftConfig,
    seed: u64,
    device: &Device,
) -> Result<AdapterPlan, PeftError> {
    let init = config.init();
    init.check_fresh()?;
    check_alone(model, init)?;
    let plan = config.plan(model.model_type(), &model.modules())?;
    plan.check_ranks()?;
    let mut principals = principals(model, &plan, init, device);
    for (number, (module, linear)) in model.linears_mut().into_iter().enumerate() {
        let kind = if plan.saved.contains(&module) {
            AdapterKind::Copy(copy(linear))
        } else if let Some(adapted) = plan.adapted.iter().find(|adapted| adapted.name == module) {
            match adapted.kind {
                AdaptedKind::Lora { r, scaling, dora } => {
                    let start = match principals.remove(&module) {
                        Some(principal) => {
                            take_out(linear, &principal, scaling);
                            (principal.a, principal.b)
                        }
                        None => {
                            let stream = Stream::adapter(number);
                            fresh_factors(linear, init, r, seed, stream, device)
                        }
                    };
                    AdapterKind::Lora(fresh_lora(linear, config, start, scaling, dora))
                }
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

/// Copies the layer's own weights.
pub(crate) fn copy(linear: &Linear) -> LinearCopy {
    LinearCopy {
        weight: Param::from_tensor(linear.weight.val().inner()),
        bias: Param::from_tensor(linear.bias.val().inner()),
    }
}

/// Initialises `A` and `B` such that their product is zero.
fn fresh_factors(
    linear: &Linear,
    init: Init,
    r: usize,
    seed: u64,
    stream: Stream,
    device: &Device,
) -> (Tensor<2>, Tensor<2>) {
    let shape = [linear.in_features(), r];
    let a = match init {
        Init::Gaussian => gaussian(seed, stream, shape, device),
        _ => kaiming_uniform(seed, stream, shape, device),
    };
    (a, Tensor::zeros([r, linear.out_features()], device))
}

/// Creates a LoRA adapter with the initial values `a` and `b`. If the initialisation changes the base,
/// their product has already been subtracted from the layer's weight.
fn fresh_lora(
    linear: &Linear,
    config: &PeftConfig,
    (a, b): (Tensor<2>, Tensor<2>),
    scaling: f64,
    dora: bool,
) -> Lora {
    let dropout = match config {
        PeftConfig::Lora(config) => config.lora_dropout,
        PeftConfig::Ia3(_) => 0.0,
    };
    let magnitude = dora.then(|| {
        let weight = linear.weight.val().inner();
        Param::from_tensor(norms(weight, a.clone(), b.clone(), scaling))
    });
    let [own_a, own_b] = [&a, &b].map(|factor| Param::from_tensor(factor.clone()));
    let lora = Lora::new(own_a, own_b, magnitude, scaling, dropout);
    match config.init().changes_base() {
        true => lora.with_initial(a, b),
        false => lora,
    }
}

/// Activates the adapter called `name` in every layer that has it, or with `None` the base model alone.
///
/// # Errors
/// Fails if there is no adapter of this name.
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

/// Lists the names of the model's adapters, in the order in which the layers list them.
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

/// Makes the adapter called `name` and the biases of its `plan` require gradients, and nothing else.
pub fn train_adapter<M: Adaptable + Module>(model: M, name: &str, plan: &AdapterPlan) -> M {
    let mut model = set_trained(model, &|_| false);
    for (_, linear) in model.linears_mut() {
        for adapter in &mut linear.adapters {
            if adapter.name() == name {
                adapter.kind = set_trained(adapter.kind.clone(), &|_| true);
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
