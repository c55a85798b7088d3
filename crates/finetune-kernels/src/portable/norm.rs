use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::Shape,
};

use super::{column_sums, constant};
use crate::{Dropout, NormGradients, Normal};

/// Normalises each row to mean 0 and (biased) variance 1.
fn normalise<B: Backend>(x: FloatTensor<B>, epsilon: f64) -> Normal<B> {
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
fn scale_and_shift<B: Backend>(
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
) -> (FloatTensor<B>, Normal<B>) {
    let normal = normalise::<B>(x, epsilon);
    let result = scale_and_shift::<B>(normal.normal.clone(), gamma, beta);
    (result, normal)
}

/// See [`EncoderGradients::norm_gradients`](crate::EncoderGradients::norm_gradients).
pub(crate) fn norm_gradients<B: Backend>(
    normal: Normal<B>,
    gamma: FloatTensor<B>,
    grad: FloatTensor<B>,
    dropped: Dropout,
    wanted: NormGradients<bool>,
) -> NormGradients<Option<FloatTensor<B>>> {
    let product = |x: &FloatTensor<B>| B::float_mul(grad.clone(), x.clone());
    let gamma_gradient = wanted
        .gamma
        .then(|| column_sums::<B>(product(&normal.normal)));
    let beta_gradient = wanted.beta.then(|| column_sums::<B>(grad.clone()));
    let sum_wanted = wanted.x || wanted.residual;
    let sum = sum_wanted.then(|| sum_gradient::<B>(normal, gamma, grad.clone()));
    NormGradients {
        x: sum
            .clone()
            .filter(|_| wanted.x)
            .map(|sum| dropout::<B>(sum, dropped)),
        residual: sum.filter(|_| wanted.residual),
        gamma: gamma_gradient,
        beta: beta_gradient,
    }
}

/// The gradient of what was normalised: with `g = grad · gamma`,
/// `(g - mean(g) - normal · mean(g · normal)) / deviation`.
fn sum_gradient<B: Backend>(
    normal: Normal<B>,
    gamma: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    let Normal { normal, deviation } = normal;
    let row = Shape::new([1, gamma.shape()[0]]);
    let grad = B::float_mul(grad, B::float_reshape(gamma, row));
    let mean = B::float_mean_dim(grad.clone(), 1);
    let along = B::float_mean_dim(B::float_mul(grad.clone(), normal.clone()), 1);
    let shift = B::float_mul(normal, along);
    let centred = B::float_sub(B::float_sub(grad, mean), shift);
    B::float_div(centred, deviation)
}

/// See [`EncoderOps::dropout_residual_norm`](crate::EncoderOps::dropout_residual_norm).
pub(crate) fn dropout_residual_norm<B: Backend>(
    x: FloatTensor<B>,
    residual: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    epsilon: f64,
    dropped: Dropout,
) -> (FloatTensor<B>, Normal<B>) {
    let sum = B::float_add(dropout::<B>(x, dropped), residual);
    layer_norm::<B>(sum, gamma, beta, epsilon)
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
