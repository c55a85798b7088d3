//! Layer norms, their gradients, and dropout.

use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::Shape,
};

use super::{column_sums, embedding::embedding_sum, upload::constant};
use crate::{
    Dropout,
    ops::{
        DropoutResidual, DropoutResidualNorm, EmbeddingNorm, EncoderOps, LayerNorm, Norm,
        NormBackward, NormGradients,
    },
};

/// The values that a norm keeps.
#[derive(Clone, Debug)]
pub struct NormKept<B: Backend> {
    /// The rows normalized to mean 0 and variance 1, `[rows, columns]`.
    pub(crate) normal: FloatTensor<B>,
    /// The standard deviations by which the rows were divided, `[rows, 1]`.
    pub(crate) deviation: FloatTensor<B>,
    /// The scale, `[columns]`.
    pub(crate) gamma: FloatTensor<B>,
}

impl<B: EncoderOps> NormBackward<B> for NormKept<B> {
    fn dropout_residual_norm(operation: DropoutResidualNorm<B>) -> (FloatTensor<B>, Self) {
        let dropped = dropout::<B>(operation.x, operation.dropout);
        layer_norm(B::float_add(dropped, operation.residual), operation.norm)
    }

    fn embedding_norm(operation: EmbeddingNorm<B>) -> (FloatTensor<B>, Self) {
        let sum = embedding_sum(operation.tables, &operation.tokens);
        let (result, kept) = layer_norm(sum, operation.norm);
        (dropout::<B>(result, operation.dropout), kept)
    }

    fn layer_norm(operation: LayerNorm<B>) -> (FloatTensor<B>, Self) {
        layer_norm(operation.x, operation.norm)
    }

    fn gradients(
        self,
        grad: FloatTensor<B>,
        dropped: Dropout,
        wanted: NormGradients<bool>,
    ) -> NormGradients<Option<FloatTensor<B>>> {
        let product = |x: &FloatTensor<B>| B::float_mul(grad.clone(), x.clone());
        let gamma = wanted
            .gamma
            .then(|| column_sums::<B>(product(&self.normal)));
        let beta = wanted.beta.then(|| column_sums::<B>(grad.clone()));
        let sum_wanted = wanted.x || wanted.residual;
        let sum = sum_wanted.then(|| self.sum_gradient(grad.clone()));
        NormGradients {
            x: sum
                .clone()
                .filter(|_| wanted.x)
                .map(|sum| dropout::<B>(sum, dropped)),
            residual: sum.filter(|_| wanted.residual),
            gamma,
            beta,
        }
    }
}

impl<B: Backend> NormKept<B> {
    /// Computes the gradient of the norm's input, `(g - mean(g) - normal · mean(g · normal)) /
    /// deviation` with `g = grad · gamma`.
    fn sum_gradient(self, grad: FloatTensor<B>) -> FloatTensor<B> {
        let row = Shape::new([1, self.gamma.shape()[0]]);
        let grad = B::float_mul(grad, B::float_reshape(self.gamma, row));
        let mean = B::float_mean_dim(grad.clone(), 1);
        let along = B::float_mean_dim(B::float_mul(grad.clone(), self.normal.clone()), 1);
        let shift = B::float_mul(self.normal, along);
        let centered = B::float_sub(B::float_sub(grad, mean), shift);
        B::float_div(centered, self.deviation)
    }
}

/// Normalizes each row to mean 0 and (biased) variance 1, then scales and shifts it.
fn layer_norm<B: Backend>(x: FloatTensor<B>, norm: Norm<B>) -> (FloatTensor<B>, NormKept<B>) {
    let mean = B::float_mean_dim(x.clone(), 1);
    let centered = B::float_sub(x, mean);
    let variance = B::float_mean_dim(B::float_mul(centered.clone(), centered.clone()), 1);
    let deviation = B::float_sqrt(B::float_add_scalar(variance, norm.epsilon.into()));
    let normal = B::float_div(centered, deviation.clone());
    let row = Shape::new([1, norm.gamma.shape()[0]]);
    let gamma = B::float_reshape(norm.gamma.clone(), row.clone());
    let scaled = B::float_mul(normal.clone(), gamma);
    let result = B::float_add(scaled, B::float_reshape(norm.beta, row));
    let kept = NormKept {
        normal,
        deviation,
        gamma: norm.gamma,
    };
    (result, kept)
}

/// See [`EncoderOps::dropout_residual`].
pub(crate) fn dropout_residual<B: Backend>(operation: DropoutResidual<B>) -> FloatTensor<B> {
    let dropped = dropout::<B>(operation.x, operation.dropout);
    B::float_add(dropped, operation.residual)
}

/// See [`EncoderOps::dropout`].
pub(crate) fn dropout<B: Backend>(x: FloatTensor<B>, dropout: Dropout) -> FloatTensor<B> {
    if dropout.is_none() {
        return x;
    }
    let shape = x.shape();
    let factors = constant::<B>(dropout.factors(shape.num_elements()), shape, &x);
    B::float_mul(x, factors)
}
