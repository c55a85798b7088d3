//! The operands of a linear layer with low-rank adaptation.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

use super::{Linear, MatmulOptions};
use crate::Dropout;

/// The operands of [`EncoderOps::lora`](super::EncoderOps::lora).
#[derive(Clone, Debug, ExtensionType)]
pub struct Lora<B: Backend> {
    /// The adapted layer. Its precision is that of the adapter's multiplications too.
    #[extension_type]
    pub linear: Linear<B>,
    /// `[in, r]`
    pub a: FloatTensor<B>,
    /// `[r, out]`
    pub b: FloatTensor<B>,
    /// Factor of what the adapter adds.
    pub scaling: f64,
    /// Dropout of the adapter's input.
    pub dropout: Dropout,
}

/// What [`lora`](crate::lora) takes beside its tensors.
#[derive(Clone, Debug)]
pub struct LoraOptions {
    /// Factor of what the adapter adds.
    pub scaling: f64,
    /// Dropout of the adapter's input.
    pub dropout: Dropout,
    /// How the layer multiplies by its weight. The adapter's multiplications have the same precision.
    pub matmul: MatmulOptions,
}
