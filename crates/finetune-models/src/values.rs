//! The values that a model is built from.

use std::collections::BTreeMap;

use burn::{
    Tensor,
    module::Param,
    tensor::{Device, TensorData},
};
use finetune_peft::Linear;

use crate::{Component, ModelError, Role};

/// Values as the model holds them, row-major, with their shape.
pub(crate) type ShapedValues = (Vec<f32>, Vec<usize>);

/// The values of all parameters by the paths of [`Parameter`](crate::Parameter); each is taken once.
pub(crate) struct Values<'a> {
    pub by_path: BTreeMap<String, ShapedValues>,
    pub device: &'a Device,
}

impl Values<'_> {
    /// One parameter of a component; `layer` is the number of its layer.
    ///
    /// # Errors
    /// Values that are not there.
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

    /// A linear layer.
    ///
    /// # Errors
    /// Values that are not there.
    pub fn linear(&mut self, component: Component, layer: usize) -> Result<Linear, ModelError> {
        Ok(Linear::new(
            self.parameter(component, layer, Role::LinearWeight)?,
            self.parameter(component, layer, Role::Bias)?,
        ))
    }
}
