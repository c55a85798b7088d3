//! What the hand-written backward passes need of a backend beyond the operations themselves.

use std::fmt::Debug;

use burn::backend::tensor::FloatTensor;

use super::{
    Activation, Attention, DropoutResidualNorm, EmbeddingNorm, EncoderOps, Linear, Lora,
    NormGradients, Precision,
};
use crate::{Dropout, backends::portable};

/// Gradients of [`EncoderOps`]: one method per gradient, so that nothing is computed that nobody asks
/// for. What an operation keeps between its two passes is a type of the backend's own choice; a fused
/// attention, for instance, would keep the logarithm of each row's sum of exponentials.
pub trait EncoderGradients: EncoderOps {
    /// What layer norms keep for their backward pass.
    type NormKept: NormBackward<Self>;

    /// What attention keeps for its backward pass.
    type AttentionKept: AttentionBackward<Self>;

    /// [`EncoderOps::linear`], and what enters its activation.
    fn linear_keeping(operation: Linear<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let activation = operation.activation;
        let sum = <Self as EncoderOps>::linear(operation.without_activation());
        (Self::activate(sum.clone(), activation), sum)
    }

    /// What enters the activation of [`EncoderOps::lora`], and `scaling · dropout(x) · a`,
    /// `[tokens, r]`.
    fn lora_keeping(operation: Lora<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        portable::lora_keeping(operation)
    }

    /// `grad · weightᵀ`: `[tokens, out]`, `[in, out]` to `[tokens, in]`.
    fn linear_input_gradient(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        let transposed = portable::transposed::<Self>(weight);
        portable::matmul::<Self>(grad, transposed, precision)
    }

    /// `xᵀ · grad`: `[tokens, in]`, `[tokens, out]` to `[in, out]`.
    fn linear_weight_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        portable::matmul::<Self>(portable::transposed::<Self>(x), grad, precision)
    }

    /// The sum of each column: `[rows, columns]` to `[columns]`.
    fn column_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::column_sums::<Self>(x)
    }

    /// `grad` times the activation's derivative at `x`, its input.
    fn activation_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        portable::activation_gradient::<Self>(x, grad, activation)
    }
}

/// What layer norms keep between the forward and the backward pass.
pub trait NormBackward<B: EncoderOps>: Clone + Debug + Send + 'static {
    /// [`EncoderOps::dropout_residual_norm`], and what its gradients need.
    fn dropout_residual_norm(operation: DropoutResidualNorm<B>) -> (FloatTensor<B>, Self);

    /// [`EncoderOps::embedding_norm`], and what its gradients need.
    fn embedding_norm(operation: EmbeddingNorm<B>) -> (FloatTensor<B>, Self);

    /// The wanted gradients of `norm(dropout(x) + residual)`. Of an embedding the residual is the
    /// sum of the tables' rows, and there is no `x`.
    fn gradients(
        self,
        grad: FloatTensor<B>,
        dropout: Dropout,
        wanted: NormGradients<bool>,
    ) -> NormGradients<Option<FloatTensor<B>>>;
}

/// What attention keeps between the forward and the backward pass.
pub trait AttentionBackward<B: EncoderOps>: Clone + Debug + Send + 'static {
    /// [`EncoderOps::attention`], and what its gradients need.
    fn attention(operation: Attention<B>) -> (FloatTensor<B>, Self);

    /// The wanted gradients of query, key, and value.
    fn gradients(self, grad: FloatTensor<B>, wanted: [bool; 3]) -> [Option<FloatTensor<B>>; 3];
}
