//! The parameters of a layer norm.

use burn::{
    Tensor,
    module::{Module, Param},
};
use finetune_kernels::Norm;

use crate::{Component, ModelError, Role, values::Values};

/// A layer norm's scale and shift.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale, `[hidden]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift, `[hidden]`.
    pub beta: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNorm {
    pub(crate) fn new(
        values: &mut Values<'_>,
        component: Component,
        layer: usize,
        epsilon: f64,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            gamma: values.parameter(component, layer, Role::NormScale)?,
            beta: values.parameter(component, layer, Role::NormShift)?,
            epsilon,
        })
    }

    pub(crate) fn val(&self) -> Norm {
        Norm {
            gamma: self.gamma.val(),
            beta: self.beta.val(),
            epsilon: self.epsilon,
        }
    }
}
