//! The operands and gradients of layer norms.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

use crate::Dropout;

/// Scale, shift, and epsilon of a layer norm.
#[derive(Clone, Debug, ExtensionType)]
pub struct Norm<B: Backend> {
    /// Scale, `[hidden]`.
    pub gamma: FloatTensor<B>,
    /// Shift, `[hidden]`.
    pub beta: FloatTensor<B>,
    /// The term added to the variance.
    pub epsilon: f64,
}

/// The operands of [`EncoderOps::dropout_residual_norm`](super::EncoderOps::dropout_residual_norm).
#[derive(Clone, Debug, ExtensionType)]
pub struct DropoutResidualNorm<B: Backend> {
    /// The input of dropout, `[tokens, hidden]`.
    pub x: FloatTensor<B>,
    /// The residual that is added, `[tokens, hidden]`.
    pub residual: FloatTensor<B>,
    /// The layer norm of the sum.
    #[extension_type]
    pub norm: Norm<B>,
    /// The dropout of `x`.
    pub dropout: Dropout,
}

/// The operands of [`EncoderOps::dropout_residual`](super::EncoderOps::dropout_residual).
#[derive(Clone, Debug, ExtensionType)]
pub struct DropoutResidual<B: Backend> {
    /// The input of dropout, `[tokens, hidden]`.
    pub x: FloatTensor<B>,
    /// The residual that is added, `[tokens, hidden]`.
    pub residual: FloatTensor<B>,
    /// The dropout of `x`.
    pub dropout: Dropout,
}

/// The operands of [`EncoderOps::norm`](super::EncoderOps::norm).
#[derive(Clone, Debug, ExtensionType)]
pub struct LayerNorm<B: Backend> {
    /// `[tokens, hidden]`
    pub x: FloatTensor<B>,
    /// The norm's parameters.
    #[extension_type]
    pub norm: Norm<B>,
}

/// A value for each gradient of `norm(dropout(x) + residual)`: whether it is wanted, or the gradient
/// itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NormGradients<T> {
    /// The gradient of `x`.
    pub x: T,
    /// The gradient of the residual, which is also that of the norm's input.
    pub residual: T,
    /// The gradient of the scale.
    pub gamma: T,
    /// The gradient of the shift.
    pub beta: T,
}
