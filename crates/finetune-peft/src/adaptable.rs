//! The trait through which adapters are attached to a model.

use burn::{Tensor, module::Param};

use crate::{Linear, ModuleInfo};

/// A part of a model that an adapter can change or train.
#[derive(Debug)]
pub enum Part<'a> {
    /// A linear layer, which can take an adapter.
    Linear(&'a Linear),
    /// The shift of a norm, which counts as a bias and can be trained along with an adapter.
    NormShift(&'a Param<Tensor<1>>),
}

/// A mutable [`Part`].
#[derive(Debug)]
pub enum PartMut<'a> {
    /// A linear layer.
    Linear(&'a mut Linear),
    /// The shift of a norm.
    NormShift(&'a mut Param<Tensor<1>>),
}

/// A module whose linear layers are [`Linear`] and have names. The names are those of the Python
/// tools' modules: they appear in `adapter_config.json` and `adapter_model.safetensors`.
pub trait Adaptable {
    /// Returns the model's family, `model_type` in `config.json`, which selects peft's default targets.
    fn model_type(&self) -> &str;

    /// Lists all modules that have parameters.
    fn modules(&self) -> Vec<ModuleInfo>;

    /// Lists the linear layers and the norms with their names, in a fixed order: a linear layer's index
    /// among the linear layers selects the random numbers of its adapter.
    fn parts(&self) -> Vec<(String, Part<'_>)>;

    /// Lists the same parts in the same order, borrowed mutably.
    fn parts_mut(&mut self) -> Vec<(String, PartMut<'_>)>;

    /// Lists the linear layers among [`parts`](Self::parts).
    fn linears(&self) -> Vec<(String, &Linear)> {
        let linear = |(name, part)| match part {
            Part::Linear(linear) => Some((name, linear)),
            Part::NormShift(_) => None,
        };
        self.parts().into_iter().filter_map(linear).collect()
    }

    /// Lists the linear layers among [`parts_mut`](Self::parts_mut).
    fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        let linear = |(name, part)| match part {
            PartMut::Linear(linear) => Some((name, linear)),
            PartMut::NormShift(_) => None,
        };
        self.parts_mut().into_iter().filter_map(linear).collect()
    }

    /// Lists the biases of all parts with their full names (`….bias`), in the order of the parts.
    fn biases(&self) -> Vec<(String, &Param<Tensor<1>>)> {
        let bias = |(name, part)| match part {
            Part::Linear(linear) => (format!("{name}.bias"), &linear.bias),
            Part::NormShift(shift) => (format!("{name}.bias"), shift),
        };
        self.parts().into_iter().map(bias).collect()
    }

    /// Lists the same biases in the same order, borrowed mutably.
    fn biases_mut(&mut self) -> Vec<(String, &mut Param<Tensor<1>>)> {
        let bias = |(name, part)| match part {
            PartMut::Linear(linear) => (format!("{name}.bias"), &mut linear.bias),
            PartMut::NormShift(shift) => (format!("{name}.bias"), shift),
        };
        self.parts_mut().into_iter().map(bias).collect()
    }
}
