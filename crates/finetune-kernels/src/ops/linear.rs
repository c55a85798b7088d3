//! The operands of linear layers.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

use super::{Activation, MatmulOptions};

/// The operands of [`EncoderOps::linear`](super::EncoderOps::linear).
#[derive(Clone, Debug, ExtensionType)]
pub struct Linear<B: Backend> {
    /// `[tokens, in]`
    pub x: FloatTensor<B>,
    /// `[in, out]`
    pub weight: FloatTensor<B>,
    /// `[out]`
    pub bias: FloatTensor<B>,
    /// The activation that is applied to the sum.
    pub activation: Activation,
    /// How `x` is multiplied by the weight.
    pub matmul: MatmulOptions,
}

impl<B: Backend> Linear<B> {
    /// Removes the activation.
    pub fn without_activation(self) -> Self {
        Self {
            activation: Activation::Identity,
            ..self
        }
    }
}
