//! Linear layers and matrix multiplications.

use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{FloatDType, Shape},
};

use super::{activate, dropout};
use crate::{
    Precision,
    ops::{Linear, Lora},
};

/// See [`EncoderOps::linear`](crate::ops::EncoderOps::linear).
pub(crate) fn linear<B: Backend>(operation: Linear<B>) -> FloatTensor<B> {
    let Linear {
        x,
        weight,
        bias,
        activation,
        matmul: options,
    } = operation;
    let out = bias.shape()[0];
    let product = matmul::<B>(x, weight, options.precision);
    let sum = B::float_add(product, B::float_reshape(bias, Shape::new([1, out])));
    activate::<B>(sum, activation)
}

/// See [`EncoderOps::lora`](crate::ops::EncoderOps::lora).
pub(crate) fn lora<B: Backend>(operation: Lora<B>) -> FloatTensor<B> {
    let activation = operation.linear.activation;
    activate::<B>(lora_keeping(operation).0, activation)
}

/// See [`EncoderGradients::lora_keeping`](crate::ops::EncoderGradients::lora_keeping).
pub(crate) fn lora_keeping<B: Backend>(operation: Lora<B>) -> (FloatTensor<B>, FloatTensor<B>) {
    let Lora {
        linear: layer,
        a,
        b,
        scaling,
        dropout: dropped,
    } = operation;
    let precision = layer.matmul.precision;
    let reduced = matmul::<B>(dropout::<B>(layer.x.clone(), dropped), a, precision);
    let reduced = B::float_mul_scalar(reduced, scaling.into());
    let adapter = matmul::<B>(reduced.clone(), b, precision);
    let base = linear(layer.without_activation());
    (B::float_add(base, adapter), reduced)
}

/// See [`EncoderOps::matmul`](crate::ops::EncoderOps::matmul).
pub(crate) fn matmul<B: Backend>(
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    precision: Precision,
) -> FloatTensor<B> {
    match precision {
        Precision::F32 | Precision::Tf32 => B::float_matmul(a, b),
        Precision::Bf16 => B::float_matmul(rounded::<B>(a), rounded::<B>(b)),
    }
}

/// Rounds each element to the nearest bf16.
fn rounded<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_cast(B::float_cast(x, FloatDType::BF16), FloatDType::F32)
}

/// Transposes a matrix.
pub(crate) fn transposed<B: Backend>(a: FloatTensor<B>) -> FloatTensor<B> {
    B::float_swap_dims(a, 0, 1)
}
