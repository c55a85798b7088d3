//! What a model offers so that adapters can be attached to it.

use burn::{Tensor, module::Param};

use crate::{Linear, ModuleInfo};

/// A module whose linear layers are [`Linear`], with names for them. Names are the ones under which
/// the Python tools know the modules: they stand in `adapter_config.json` and
/// `adapter_model.safetensors`.
pub trait Adaptable {
    /// The model's family, `model_type` in `config.json`; decides peft's default targets.
    fn model_type(&self) -> &str;

    /// All modules with parameters.
    fn modules(&self) -> Vec<ModuleInfo>;

    /// The linear layers, in a fixed order: the place of each decides the random numbers of its
    /// adapter.
    fn linears(&self) -> Vec<(String, &Linear)>;

    /// The same, to be changed.
    fn linears_mut(&mut self) -> Vec<(String, &mut Linear)>;

    /// All biases with their full names (`….bias`), norms included.
    fn biases(&self) -> Vec<(String, &Param<Tensor<1>>)>;

    /// The same, to be changed.
    fn biases_mut(&mut self) -> Vec<(String, &mut Param<Tensor<1>>)>;
}
