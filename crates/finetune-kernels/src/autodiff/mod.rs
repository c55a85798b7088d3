//! Hand-written backward passes. Compared with automatic differentiation of the portable
//! implementations, they keep a fraction of the memory between the two passes: no intermediate results,
//! no dropout masks (which are drawn again), and nothing for gradients that are not needed.

mod activation;
mod attention;
mod columns;
mod computed;
mod dropout;
mod embedding;
#[cfg(all(test, feature = "flex"))]
#[allow(clippy::unwrap_used)]
mod finite_differences;
mod linear;
mod lora;
mod matmul;
mod norm;
mod pooling;
mod residual;
#[cfg(all(test, feature = "flex"))]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
#[cfg(all(test, feature = "flex"))]
#[allow(clippy::unwrap_used)]
mod threads;
mod transfer;
mod vocabulary;

use burn::backend::{
    Autodiff, Backend,
    autodiff::{NodeId, checkpoint::strategy::CheckpointStrategy, grads::Gradients},
    tensor::FloatTensor,
};

use crate::{
    Activation, Dropout,
    ops::{
        Attention, AttentionTransfer, DropoutResidual, DropoutResidualNorm, EmbeddingNorm,
        EmbeddingSum, EncoderGradients, EncoderOps, LayerNorm, Linear, Lora, MatmulOptions, Pool,
        VocabularyCrossEntropy,
    },
};

impl<B: EncoderGradients, C: CheckpointStrategy> EncoderOps for Autodiff<B, C> {
    fn linear(operation: Linear<Self>) -> FloatTensor<Self> {
        linear::linear(operation)
    }

    fn lora(operation: Lora<Self>) -> FloatTensor<Self> {
        lora::lora(operation)
    }

    fn matmul(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        options: MatmulOptions,
    ) -> FloatTensor<Self> {
        matmul::matmul::<B, C>(a, b, options)
    }

    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        activation::activate::<B, C>(x, activation)
    }

    fn attention(operation: Attention<Self>) -> FloatTensor<Self> {
        attention::attention(operation)
    }

    fn dropout_residual_norm(operation: DropoutResidualNorm<Self>) -> FloatTensor<Self> {
        norm::dropout_residual_norm(operation)
    }

    fn dropout_residual(operation: DropoutResidual<Self>) -> FloatTensor<Self> {
        residual::dropout_residual(operation)
    }

    fn norm(operation: LayerNorm<Self>) -> FloatTensor<Self> {
        norm::layer_norm(operation)
    }

    fn embedding_norm(operation: EmbeddingNorm<Self>) -> FloatTensor<Self> {
        embedding::embedding_norm(operation)
    }

    fn embedding_sum(operation: EmbeddingSum<Self>) -> FloatTensor<Self> {
        embedding::embedding_sum(operation)
    }

    fn pool(operation: Pool<Self>) -> FloatTensor<Self> {
        pooling::pool(operation)
    }

    fn affine(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        columns::affine::<B, C>(x, scale, shift)
    }

    fn column_products(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        columns::products::<B, C>(x, y)
    }

    fn dropout(x: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        dropout::dropout::<B, C>(x, dropout)
    }

    fn vocabulary_cross_entropy(operation: VocabularyCrossEntropy<Self>) -> FloatTensor<Self> {
        vocabulary::vocabulary_cross_entropy(operation)
    }

    fn attention_transfer(operation: AttentionTransfer<Self>) -> FloatTensor<Self> {
        transfer::attention_transfer(operation)
    }
}

/// Registers gradients for the nodes that need them.
fn register<B: Backend>(
    grads: &mut Gradients,
    pairs: impl IntoIterator<Item = (Option<NodeId>, Option<FloatTensor<B>>)>,
) {
    for (node, gradient) in pairs {
        if let (Some(node), Some(gradient)) = (node, gradient) {
            grads.register::<B>(node, gradient);
        }
    }
}
