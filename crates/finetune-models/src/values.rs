//! The parameter values that a model is built from.

use std::collections::BTreeMap;

use burn::{
    Tensor,
    module::Param,
    tensor::{Device, TensorData},
};
use finetune_peft::Linear;

use crate::{Component, ModelError, Role};

/// The values of a parameter in the model's layout, row-major, and their shape.
pub(crate) type ShapedValues = (Vec<f32>, Vec<usize>);

/// The values of all parameters by [`Parameter::path`](crate::Parameter::path); each is taken once.
pub(crate) struct Values<'a> {
    pub by_path: BTreeMap<String, ShapedValues>,
    pub device: &'a Device,
}

impl Values<'_> {
    /// Takes one parameter of a component; `layer` is the index of its layer.
    ///
    /// # Errors
    /// Fails if there are no values for the parameter.
    pub fn parameter<const D: usize>(
        &mut self,
        component: Component,
        layer: usize,
        role: Role,
    ) -> Result<Param<Tensor<D>>, ModelError> {
        let path = role.path_of(&component.path(layer));
        let Some((values, shape)) = self.by_path.remove(&path) else {
            return Err(ModelError::NoValues { path });
        };
        let data = TensorData::new(values, shape);
        Ok(Param::from_tensor(Tensor::from_data(data, self.device)))
    }

    /// Takes the weight and the bias of a linear layer.
    ///
    /// # Errors
    /// Fails if the values of either are missing.
    pub fn linear(&mut self, component: Component, layer: usize) -> Result<Linear, ModelError> {
        Ok(Linear::new(
            self.parameter(component, layer, Role::LinearWeight)?,
            self.parameter(component, layer, Role::Bias)?,
        ))
    }
}
