//! Backward passes by hand. Against differentiating the portable bodies step by step they keep a
//! fraction of the memory between the two passes: no intermediate results, no dropout masks (drawn
//! again), and nothing for gradients that nobody asks for.

mod activation;
mod attention;
mod dropout;
mod embedding;
#[cfg(all(test, feature = "flex"))]
#[allow(clippy::unwrap_used)]
mod finite_differences;
mod linear;
mod lora;
mod norm;
#[cfg(all(test, feature = "flex"))]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
#[cfg(all(test, feature = "flex"))]
#[allow(clippy::unwrap_used)]
mod threads;

use burn::backend::{
    Autodiff, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor,
};

use crate::{
    Activation, AttentionShape, Dropout, EncoderGradients, EncoderOps, LoraProducts, PackedTokens,
    Products, TokenTypeTable,
};

impl<B: EncoderGradients, C: CheckpointStrategy> EncoderOps for Autodiff<B, C> {
    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
        products: Products,
    ) -> FloatTensor<Self> {
        linear::linear::<B, C>(x, weight, bias, activation, products)
    }

    fn lora(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        activation: Activation,
        lora: LoraProducts,
    ) -> FloatTensor<Self> {
        lora::lora::<B, C>(x, weight, bias, a, b, activation, lora)
    }

    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        activation::activate::<B, C>(x, activation)
    }

    fn attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        shape: AttentionShape,
        dropout: Dropout,
    ) -> FloatTensor<Self> {
        attention::attention::<B, C>(query, key, value, shape, dropout)
    }

    fn dropout_residual_norm(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        dropout: Dropout,
    ) -> FloatTensor<Self> {
        norm::dropout_residual_norm::<B, C>(x, residual, gamma, beta, epsilon, dropout)
    }

    fn embedding_norm(
        word: FloatTensor<Self>,
        position: FloatTensor<Self>,
        token_type: TokenTypeTable<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        tokens: PackedTokens,
        epsilon: f64,
        dropout: Dropout,
    ) -> FloatTensor<Self> {
        embedding::embedding_norm::<B, C>(
            word, position, token_type, gamma, beta, &tokens, epsilon, dropout,
        )
    }

    fn dropout(x: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        dropout::dropout::<B, C>(x, dropout)
    }
}
