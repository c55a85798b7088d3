//! Layer norms' operands and gradients.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

use crate::Dropout;

/// Scale, shift, and epsilon of a layer norm.
#[derive(Clone, Debug, ExtensionType)]
pub struct Norm<B: Backend> {
    /// Scale, `[hidden]`.
    pub gamma: FloatTensor<B>,
    /// Shift, `[hidden]`.
    pub beta: FloatTensor<B>,
    /// Added to the variance.
    pub epsilon: f64,
}

/// The operands of [`EncoderOps::dropout_residual_norm`](super::EncoderOps::dropout_residual_norm).
#[derive(Clone, Debug, ExtensionType)]
pub struct DropoutResidualNorm<B: Backend> {
    /// What dropout acts on, `[tokens, hidden]`.
    pub x: FloatTensor<B>,
    /// What is added, `[tokens, hidden]`.
    pub residual: FloatTensor<B>,
    /// The norm of the sum.
    #[extension_type]
    pub norm: Norm<B>,
    /// Dropout of `x`.
    pub dropout: Dropout,
}

/// Something for each gradient of `norm(dropout(x) + residual)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NormGradients<T> {
    /// Of `x`.
    pub x: T,
    /// Of the residual, and so of what is normalized.
    pub residual: T,
    /// Of the scale.
    pub gamma: T,
    /// Of the shift.
    pub beta: T,
}
