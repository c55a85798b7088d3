use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{FloatDType, Shape},
};

use super::dropout;
use crate::{Activation, LoraProducts, Precision};

/// See [`EncoderOps::linear`](crate::EncoderOps::linear).
pub(crate) fn linear<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    activation: Activation,
    precision: Precision,
) -> FloatTensor<B> {
    let out = bias.shape()[0];
    let product = product::<B>(x, weight, precision);
    let sum = B::float_add(product, B::float_reshape(bias, Shape::new([1, out])));
    activation.apply::<B>(sum)
}

/// See [`EncoderOps::lora`](crate::EncoderOps::lora).
pub(crate) fn lora<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    activation: Activation,
    lora: &LoraProducts,
) -> FloatTensor<B> {
    let precision = lora.products.precision;
    let dropped = dropout::<B>(x.clone(), lora.dropout);
    let reduced = product::<B>(dropped, a, precision);
    let reduced = B::float_mul_scalar(reduced, lora.scaling.into());
    let adapter = product::<B>(reduced, b, precision);
    let base = linear::<B>(x, weight, bias, Activation::Identity, precision);
    activation.apply::<B>(B::float_add(base, adapter))
}

/// `a · b`.
pub(crate) fn product<B: Backend>(
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    precision: Precision,
) -> FloatTensor<B> {
    match precision {
        Precision::F32 => B::float_matmul(a, b),
        Precision::Bf16 => B::float_matmul(rounded::<B>(a), rounded::<B>(b)),
    }
}

/// Each number rounded to the nearest bf16.
pub(crate) fn rounded<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_cast(B::float_cast(x, FloatDType::BF16), FloatDType::F32)
}

/// `aᵀ` of a matrix.
pub(crate) fn transposed<B: Backend>(a: FloatTensor<B>) -> FloatTensor<B> {
    B::float_swap_dims(a, 0, 1)
}

/// `[rows, columns]` to `[columns]`.
pub(crate) fn column_sums<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let columns = x.shape()[1];
    B::float_reshape(B::float_sum_dim(x, 0), Shape::new([columns]))
}
