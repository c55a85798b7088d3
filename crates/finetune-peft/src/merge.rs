//! Merges an adapter into the base weights.

use burn::{Tensor, module::Param};

use crate::{Adaptable, AdapterKind, Linear, PeftError, attach::set_active};

/// Merges the adapter called `name` into the base weights in f32 and removes it, so that the model
/// computes the same without it. All layers are merged and checked before the first one changes.
///
/// # Errors
/// Fails if there is no adapter of this name or a merged weight would not be finite.
pub fn merge<M: Adaptable>(model: &mut M, name: &str) -> Result<(), PeftError> {
    set_active(model, Some(name))?;
    let mut merged = Vec::new();
    for (module, linear) in model.linears() {
        let Some(adapter) = linear.active() else {
            merged.push(None);
            continue;
        };
        let (weight, bias) = weights(linear, &adapter.kind);
        let finite = |sum: f32| sum.is_finite();
        // A sum of absolute values is finite only if every term is.
        let sums = [weight.clone().abs().sum(), bias.clone().abs().sum()];
        if !sums.into_iter().map(Tensor::into_scalar).all(finite) {
            return Err(PeftError::NotFinite { module });
        }
        merged.push(Some((weight, bias)));
    }
    for ((_, linear), merged) in model.linears_mut().into_iter().zip(merged) {
        if let Some((weight, bias)) = merged {
            linear.detach(name);
            linear.weight = Param::from_tensor(weight);
            linear.bias = Param::from_tensor(bias);
        }
        linear.activate(None);
    }
    Ok(())
}

/// Returns the weight and the bias of a plain layer that computes the same.
fn weights(linear: &Linear, adapter: &AdapterKind) -> (Tensor<2>, Tensor<1>) {
    let (weight, bias) = (linear.weight.val().inner(), linear.bias.val().inner());
    match adapter {
        AdapterKind::Lora(lora) => (lora.merged(weight).inner(), bias),
        AdapterKind::Copy(copy) => (copy.weight.val().inner(), copy.bias.val().inner()),
        AdapterKind::Ia3(ia3) => {
            let scale = ia3.scale.val().inner();
            match ia3.is_feedforward() {
                true => (weight * scale.unsqueeze_dim::<2>(1), bias),
                false => (weight * scale.clone().unsqueeze::<2>(), bias * scale),
            }
        }
    }
}
