//! What a model offers so that adapters can be attached to it.

use burn::{Tensor, module::Param};

use crate::{Linear, ModuleInfo};

/// A part of a model that adapters concern.
#[derive(Debug)]
pub enum Part<'a> {
    /// A linear layer, which can take an adapter.
    Linear(&'a Linear),
    /// The shift of a norm, which can be trained beside the adapters as a bias.
    NormShift(&'a Param<Tensor<1>>),
}

/// A [`Part`] that can be changed.
#[derive(Debug)]
pub enum PartMut<'a> {
    /// A linear layer.
    Linear(&'a mut Linear),
    /// The shift of a norm.
    NormShift(&'a mut Param<Tensor<1>>),
}

/// A module whose linear layers are [`Linear`], with names for them. The names are those by which
/// the Python tools know the modules: they appear in `adapter_config.json` and
/// `adapter_model.safetensors`.
pub trait Adaptable {
    /// The model's family, `model_type` in `config.json`; it decides peft's default targets.
    fn model_type(&self) -> &str;

    /// All modules that have parameters.
    fn modules(&self) -> Vec<ModuleInfo>;

    /// The linear layers and the norms with their names, in a fixed order: a linear layer's number
    /// among the linear layers decides the random numbers of its adapter.
    fn parts(&self) -> Vec<(String, Part<'_>)>;

    /// The same parts in the same order, borrowed mutably.
    fn parts_mut(&mut self) -> Vec<(String, PartMut<'_>)>;

    /// The linear layers of [`parts`](Self::parts).
    fn linears(&self) -> Vec<(String, &Linear)> {
        let linear = |(name, part)| match part {
            Part::Linear(linear) => Some((name, linear)),
            Part::NormShift(_) => None,
        };
        self.parts().into_iter().filter_map(linear).collect()
    }

    /// The linear layers of [`parts_mut`](Self::parts_mut).
    fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        let linear = |(name, part)| match part {
            PartMut::Linear(linear) => Some((name, linear)),
            PartMut::NormShift(_) => None,
        };
        self.parts_mut().into_iter().filter_map(linear).collect()
    }

    /// The biases of all parts with their full names (`….bias`), in the order of the parts.
    fn biases(&self) -> Vec<(String, &Param<Tensor<1>>)> {
        let bias = |(name, part)| match part {
            Part::Linear(linear) => (format!("{name}.bias"), &linear.bias),
            Part::NormShift(shift) => (format!("{name}.bias"), shift),
        };
        self.parts().into_iter().map(bias).collect()
    }

    /// The same biases, borrowed mutably.
    fn biases_mut(&mut self) -> Vec<(String, &mut Param<Tensor<1>>)> {
        let bias = |(name, part)| match part {
            PartMut::Linear(linear) => (format!("{name}.bias"), &mut linear.bias),
            PartMut::NormShift(shift) => (format!("{name}.bias"), shift),
        };
        self.parts_mut().into_iter().map(bias).collect()
    }
}
