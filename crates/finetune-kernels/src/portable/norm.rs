use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::Shape,
};

use super::constant;
use crate::Dropout;

/// Rows with mean 0 and variance 1.
#[derive(Clone, Debug)]
pub(crate) struct Normal<B: Backend> {
    /// `[rows, columns]`
    pub(crate) normal: FloatTensor<B>,
    /// What the rows were divided by, `[rows, 1]`.
    pub(crate) deviation: FloatTensor<B>,
}

/// Normalises each row to mean 0 and (biased) variance 1.
pub(crate) fn normalise<B: Backend>(x: FloatTensor<B>, epsilon: f64) -> Normal<B> {
    let mean = B::float_mean_dim(x.clone(), 1);
    let centred = B::float_sub(x, mean);
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 1);
    let deviation = B::float_sqrt(B::float_add_scalar(variance, epsilon.into()));
    Normal {
        normal: B::float_div(centred, deviation.clone()),
        deviation,
    }
}

/// `x · gamma + beta`, row by row.
pub(crate) fn scale_and_shift<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
) -> FloatTensor<B> {
    let row = Shape::new([1, gamma.shape()[0]]);
    let scaled = B::float_mul(x, B::float_reshape(gamma, row.clone()));
    B::float_add(scaled, B::float_reshape(beta, row))
}

/// Normalises each row, then scales and shifts.
pub(crate) fn layer_norm<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    epsilon: f64,
) -> FloatTensor<B> {
    scale_and_shift::<B>(normalise::<B>(x, epsilon).normal, gamma, beta)
}

/// See [`EncoderOps::dropout`](crate::EncoderOps::dropout).
pub(crate) fn dropout<B: Backend>(x: FloatTensor<B>, dropout: Dropout) -> FloatTensor<B> {
    if dropout.is_none() {
        return x;
    }
    let shape = x.shape();
    let factors = constant::<B>(dropout.factors(shape.num_elements()), shape, &x);
    B::float_mul(x, factors)
}
