//! A linear layer with low-rank adaptation, its forward pass from the operations of a backend.

use burn::backend::tensor::FloatTensor;

use crate::{Activation, Dropout, EncoderGradients, EncoderOps, Products};

/// Numbers of [`EncoderOps::lora`] beside its tensors.
#[derive(Clone, Debug)]
pub struct LoraProducts {
    /// Factor of the adapter's product.
    pub scaling: f64,
    /// Dropout of the adapter's input.
    pub dropout: Dropout,
    /// How the layer multiplies with its weight; the adapter's products have the same precision.
    pub products: Products,
}

/// The layer's result before its activation, and `scaling · dropout(x) · a`, `[tokens, r]`.
pub(crate) fn forward<B: EncoderGradients>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    lora: &LoraProducts,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let precision = lora.products.precision;
    let reduced = B::product(B::dropout(x.clone(), lora.dropout), a, precision);
    let reduced = B::float_mul_scalar(reduced, lora.scaling.into());
    let products = lora.products.clone();
    let base = <B as EncoderOps>::linear(x, weight, bias, Activation::Identity, products);
    let sum = B::add_product(base, reduced.clone(), b, precision);
    (sum, reduced)
}
