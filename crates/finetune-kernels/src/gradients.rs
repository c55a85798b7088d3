//! What the hand-written backward passes need of a backend beyond the operations themselves:
//! forward passes that also give what is kept, and gradients. Portable bodies work everywhere.

use burn::backend::{Backend, tensor::FloatTensor};

#[cfg(feature = "flex")]
use crate::flex;
use crate::{
    Activation, AttentionShape, Dropout, EncoderOps, PackedTokens, Precision, Products,
    TokenTypeTable, portable,
};

/// Rows with mean 0 and variance 1: what the backward pass of a norm keeps.
#[derive(Clone, Debug)]
pub struct Normal<B: Backend> {
    /// `[rows, columns]`
    pub normal: FloatTensor<B>,
    /// What the rows were divided by, `[rows, 1]`.
    pub deviation: FloatTensor<B>,
}

/// Something for each gradient of `norm(dropout(x) + residual)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NormGradients<T> {
    /// Of `x`.
    pub x: T,
    /// Of the residual, and of what is normalised.
    pub residual: T,
    /// Of the scale.
    pub gamma: T,
    /// Of the shift.
    pub beta: T,
}

/// Gradients of [`EncoderOps`], one method per gradient, so that nothing is computed that nobody
/// asks for.
pub trait EncoderGradients: EncoderOps {
    /// [`EncoderOps::linear`] and what enters its activation.
    fn linear_with_sum(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
        products: Products,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let sum = <Self as EncoderOps>::linear(x, weight, bias, Activation::Identity, products);
        (Self::activate(sum.clone(), activation), sum)
    }

    /// `a · b`.
    fn product(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        portable::product::<Self>(a, b, precision)
    }

    /// `sum + a · b`.
    fn add_product(
        sum: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        Self::float_add(sum, portable::product::<Self>(a, b, precision))
    }

    /// `grad · weightᵀ`: `[tokens, out]`, `[in, out]` to `[tokens, in]`.
    fn linear_input_gradient(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        let transposed = portable::transposed::<Self>(weight);
        portable::product::<Self>(grad, transposed, precision)
    }

    /// `xᵀ · grad`: `[tokens, in]`, `[tokens, out]` to `[in, out]`.
    fn linear_weight_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        portable::product::<Self>(portable::transposed::<Self>(x), grad, precision)
    }

    /// `[rows, columns]` to `[columns]`.
    fn column_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::column_sums::<Self>(x)
    }

    /// The wanted gradients of query, key and value in [`EncoderOps::attention`].
    fn attention_gradients(
        inputs: [FloatTensor<Self>; 3],
        grad: FloatTensor<Self>,
        shape: &AttentionShape,
        dropout: Dropout,
        wanted: [bool; 3],
    ) -> [Option<FloatTensor<Self>>; 3] {
        portable::attention_gradients::<Self>(inputs, grad, shape, dropout, wanted)
    }

    /// [`EncoderOps::dropout_residual_norm`] and what its backward pass keeps.
    fn dropout_residual_norm_with_normal(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        dropout: Dropout,
    ) -> (FloatTensor<Self>, Normal<Self>) {
        portable::dropout_residual_norm::<Self>(x, residual, gamma, beta, epsilon, dropout)
    }

    /// [`EncoderOps::embedding_norm`] and what its backward pass keeps.
    #[allow(clippy::too_many_arguments)]
    fn embedding_norm_with_normal(
        word: FloatTensor<Self>,
        position: FloatTensor<Self>,
        token_type: TokenTypeTable<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        tokens: &PackedTokens,
        epsilon: f64,
        dropout: Dropout,
    ) -> (FloatTensor<Self>, Normal<Self>) {
        portable::embedding_norm::<Self>(
            word, position, token_type, gamma, beta, tokens, epsilon, dropout,
        )
    }

    /// The wanted gradients of `norm(dropout(x) + residual)`.
    fn norm_gradients(
        normal: Normal<Self>,
        gamma: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        dropout: Dropout,
        wanted: NormGradients<bool>,
    ) -> NormGradients<Option<FloatTensor<Self>>> {
        portable::norm_gradients::<Self>(normal, gamma, grad, dropout, wanted)
    }
}

#[cfg(feature = "flex")]
impl EncoderGradients for burn::backend::Flex {
    fn attention_gradients(
        inputs: [FloatTensor<Self>; 3],
        grad: FloatTensor<Self>,
        shape: &AttentionShape,
        dropout: Dropout,
        wanted: [bool; 3],
    ) -> [Option<FloatTensor<Self>>; 3] {
        flex::attention_gradients(inputs, grad, shape, dropout, wanted)
    }

    fn dropout_residual_norm_with_normal(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        dropout: Dropout,
    ) -> (FloatTensor<Self>, Normal<Self>) {
        flex::dropout_residual_norm_with_normal(x, residual, gamma, beta, epsilon, dropout)
    }

    fn embedding_norm_with_normal(
        word: FloatTensor<Self>,
        position: FloatTensor<Self>,
        token_type: TokenTypeTable<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        tokens: &PackedTokens,
        epsilon: f64,
        dropout: Dropout,
    ) -> (FloatTensor<Self>, Normal<Self>) {
        flex::embedding_norm_with_normal(
            word, position, token_type, gamma, beta, tokens, epsilon, dropout,
        )
    }

    fn norm_gradients(
        normal: Normal<Self>,
        gamma: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        dropout: Dropout,
        wanted: NormGradients<bool>,
    ) -> NormGradients<Option<FloatTensor<Self>>> {
        flex::norm_gradients(normal, gamma, grad, dropout, wanted)
    }

    fn linear_with_sum(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
        products: Products,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        flex::linear_with_sum(x, weight, bias, activation, products)
    }

    fn product(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        flex::product(a, b, precision)
    }

    fn add_product(
        sum: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        flex::add_product(sum, a, b, precision)
    }

    fn linear_input_gradient(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        flex::linear_input_gradient(grad, weight, precision)
    }

    fn linear_weight_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        flex::linear_weight_gradient(x, grad, precision)
    }

    fn column_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        flex::column_sums(x)
    }
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)]
impl EncoderGradients for burn::backend::NdArray {}

#[cfg(feature = "cuda")]
impl EncoderGradients for burn::backend::Cuda {}
