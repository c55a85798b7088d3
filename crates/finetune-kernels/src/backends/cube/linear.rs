//! Linear layers: a matrix multiplication, then bias and activation in one kernel.

use burn::backend::Cube;
use burn_cubecl::tensor::CubeTensor;

use super::{activation::bias_activation, matmul::matmul};
use crate::ops::Linear;

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
