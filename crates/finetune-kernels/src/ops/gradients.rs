//! The operations that the hand-written backward passes need in addition to those of the forward pass.

use std::fmt::Debug;

use burn::backend::tensor::FloatTensor;

use super::{
    Activation, Attention, AttentionTransfer, DropoutResidualNorm, EmbeddingNorm, EncoderOps,
    LayerNorm, Linear, Lora, MatmulOptions, NormGradients, PoolMaximum, Precision,
    VocabularyCrossEntropy,
};
use crate::{Dropout, Offsets, backends::portable};

/// Gradients of [`EncoderOps`]: a method per gradient, so that only the required ones are computed. Each
/// backend chooses the types of the values that an operation keeps between its two passes; a fused
/// attention, for instance, would keep each row's log-sum-exp.
pub trait EncoderGradients: EncoderOps {
    /// The values that layer norms keep for their backward pass.
    type NormKept: NormBackward<Self>;

    /// The values that attention keeps for its backward pass.
    type AttentionKept: AttentionBackward<Self>;

    /// Computes [`EncoderOps::linear`] and returns the input of its activation too.
    fn linear_keeping(operation: Linear<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let activation = operation.activation;
        let sum = <Self as EncoderOps>::linear(operation.without_activation());
        (Self::activate(sum.clone(), activation), sum)
    }

    /// Computes the input of the activation of [`EncoderOps::lora`], and `scaling · dropout(x) · a`,
    /// `[tokens, r]`.
    fn lora_keeping(operation: Lora<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        portable::lora_keeping(operation)
    }

    /// Computes `grad · weightᵀ`: `[tokens, out]`, `[in, out]` to `[tokens, in]`. The options are those
    /// of the multiplication by `weight`.
    fn linear_input_gradient(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: MatmulOptions,
    ) -> FloatTensor<Self> {
        let transposed = portable::transposed::<Self>(weight);
        portable::matmul::<Self>(grad, transposed, options.precision)
    }

    /// Computes `xᵀ · grad`: `[tokens, in]`, `[tokens, out]` to `[in, out]`.
    fn linear_weight_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        portable::matmul::<Self>(portable::transposed::<Self>(x), grad, precision)
    }

    /// Sums each column: `[rows, columns]` to `[columns]`.
    fn column_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::column_sums::<Self>(x)
    }

    /// Multiplies `grad` by the activation's derivative at its input `x`.
    fn activation_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        portable::activation_gradient::<Self>(x, grad, activation)
    }

    /// Computes [`EncoderOps::vocabulary_cross_entropy`] and its wanted gradients of x, table, and bias.
    fn vocabulary_gradients(
        operation: VocabularyCrossEntropy<Self>,
        wanted: [bool; 3],
    ) -> (FloatTensor<Self>, [Option<FloatTensor<Self>>; 3]) {
        portable::vocabulary_gradients(operation, wanted)
    }

    /// Computes [`EncoderOps::attention_transfer`] and its wanted gradients of the student's queries and
    /// keys.
    fn attention_transfer_gradients(
        operation: AttentionTransfer<Self>,
        wanted: [bool; 2],
    ) -> (FloatTensor<Self>, [Option<FloatTensor<Self>>; 2]) {
        portable::attention_transfer_gradients(operation, wanted)
    }

    /// Multiplies each element by `factor`, `[1]`.
    fn scaled(x: FloatTensor<Self>, factor: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::scaled::<Self>(x, factor)
    }

    /// Computes the gradient of pooling by the mean, `[batch, columns]` to `[tokens, columns]`.
    fn pool_mean_gradient(grad: FloatTensor<Self>, offsets: Offsets) -> FloatTensor<Self> {
        portable::pool_mean_gradient::<Self>(grad, &offsets)
    }

    /// Computes the gradient of pooling by the maximum, `[batch, columns]` to `[tokens, columns]`.
    fn pool_max_gradient(
        kept: PoolMaximum<Self>,
        grad: FloatTensor<Self>,
        offsets: Offsets,
    ) -> FloatTensor<Self> {
        portable::pool_max_gradient(kept, grad, &offsets)
    }
}

/// The values that layer norms keep between the forward and the backward pass.
pub trait NormBackward<B: EncoderOps>: Clone + Debug + Send + 'static {
    /// Computes [`EncoderOps::dropout_residual_norm`] and keeps what its gradients need.
    fn dropout_residual_norm(operation: DropoutResidualNorm<B>) -> (FloatTensor<B>, Self);

    /// Computes [`EncoderOps::embedding_norm`] and keeps what its gradients need.
    fn embedding_norm(operation: EmbeddingNorm<B>) -> (FloatTensor<B>, Self);

    /// Computes [`EncoderOps::norm`] and keeps what its gradients need.
    fn layer_norm(operation: LayerNorm<B>) -> (FloatTensor<B>, Self);

    /// Computes the wanted gradients of `norm(dropout(x) + residual)`. For embeddings, the residual is
    /// the sum of the tables' rows, and for a norm alone it is the norm's input; neither has an `x`.
    fn gradients(
        self,
        grad: FloatTensor<B>,
        dropout: Dropout,
        wanted: NormGradients<bool>,
    ) -> NormGradients<Option<FloatTensor<B>>>;
}

/// The values that attention keeps between the forward and the backward pass.
pub trait AttentionBackward<B: EncoderOps>: Clone + Debug + Send + 'static {
    /// Computes [`EncoderOps::attention`] and keeps what its gradients need.
    fn attention(operation: Attention<B>) -> (FloatTensor<B>, Self);

    /// Computes the wanted gradients of query, key, and value.
    fn gradients(self, grad: FloatTensor<B>, wanted: [bool; 3]) -> [Option<FloatTensor<B>>; 3];
}
