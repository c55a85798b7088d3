use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::Shape,
};

use super::constant;
use crate::Dropout;

/// Normalises each row to mean 0 and (biased) variance 1, then scales and shifts.
pub(crate) fn layer_norm<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    epsilon: f64,
) -> FloatTensor<B> {
    let row = Shape::new([1, gamma.shape()[0]]);
    let centred = B::float_sub(x.clone(), B::float_mean_dim(x, 1));
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 1);
    let deviation = B::float_sqrt(B::float_add_scalar(variance, epsilon.into()));
    let normal = B::float_div(centred, deviation);
    let scaled = B::float_mul(normal, B::float_reshape(gamma, row.clone()));
    B::float_add(scaled, B::float_reshape(beta, row))
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
