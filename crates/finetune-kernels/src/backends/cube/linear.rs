//! Linear layers, with and without low-rank adaptation: matrix multiplications, then bias and activation in one
//! kernel.

use burn::backend::{Cube, ops::FloatTensorOps};
use burn_cubecl::tensor::CubeTensor;

use super::{
    activation::{activate, bias_activation},
    dropout::dropout,
    matmul::matmul,
};
use crate::ops::{Linear, Lora};

/// See [`EncoderOps::linear`](crate::ops::EncoderOps::linear).
pub(super) fn linear(operation: Linear<Cube>) -> CubeTensor {
    let Linear {
        x,
        weight,
        bias,
        activation,
        matmul: options,
    } = operation;
    let product = matmul(x, weight, options.precision);
    bias_activation(product, bias, activation, false).0
}

/// See [`EncoderGradients::linear_keeping`](crate::ops::EncoderGradients::linear_keeping).
pub(super) fn linear_keeping(operation: Linear<Cube>) -> (CubeTensor, CubeTensor) {
    let Linear {
        x,
        weight,
        bias,
        activation,
        matmul: options,
    } = operation;
    let product = matmul(x, weight, options.precision);
    let (result, sum) = bias_activation(product, bias, activation, true);
    let sum = sum.unwrap_or_else(|| result.clone());
    (result, sum)
}

/// See [`EncoderOps::lora`](crate::ops::EncoderOps::lora).
pub(super) fn lora(operation: Lora<Cube>) -> CubeTensor {
    let activation = operation.linear.activation;
    activate(lora_keeping(operation).0, activation)
}

/// See [`EncoderGradients::lora_keeping`](crate::ops::EncoderGradients::lora_keeping).
pub(super) fn lora_keeping(operation: Lora<Cube>) -> (CubeTensor, CubeTensor) {
    let Lora {
        linear: layer,
        a,
        b,
        scaling,
        dropout: dropped,
    } = operation;
    let precision = layer.matmul.precision;
    let reduced = matmul(dropout(layer.x.clone(), dropped), a, precision);
    let reduced = Cube::float_mul_scalar(reduced, scaling.into());
    let adapter = matmul(reduced.clone(), b, precision);
    let base = linear(layer.without_activation());
    (Cube::float_add(base, adapter), reduced)
}
