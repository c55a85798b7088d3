//! The operands of linear layers with low-rank adaptation.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

use super::{Linear, MatmulOptions};
use crate::Dropout;

/// The operands of [`EncoderOps::lora`](super::EncoderOps::lora).
#[derive(Clone, Debug, ExtensionType)]
pub struct Lora<B: Backend> {
    /// The adapted layer. Its precision also applies to the adapter's multiplications.
    #[extension_type]
    pub linear: Linear<B>,
    /// `[in, r]`
    pub a: FloatTensor<B>,
    /// `[r, out]`
    pub b: FloatTensor<B>,
    /// The factor of `a · b`.
    pub scaling: f64,
    /// The dropout of the adapter's input.
    pub dropout: Dropout,
}

/// The settings of [`lora`](crate::lora).
#[derive(Clone, Debug)]
pub struct LoraOptions {
    /// The factor of `a · b`.
    pub scaling: f64,
    /// The dropout of the adapter's input.
    pub dropout: Dropout,
    /// How the layer multiplies by its weight. The precision also applies to the adapter's
    /// multiplications.
    pub matmul: MatmulOptions,
}
