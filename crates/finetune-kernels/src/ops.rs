//! The boundary between the models and the hardware.
//!
//! Each operation of the encoder is a method with a portable body made of differentiable
//! primitives. A backend that can do better overrides the method for itself and, with a backward
//! pass of its own, for `Autodiff`; nothing above this file changes.

use std::sync::Arc;

use burn::backend::{Backend, ExtensionType, backend_extension, tensor::FloatTensor};

#[cfg(feature = "flex")]
use crate::flex;
use crate::{Activation, AttentionShape, Dropout, LoraProducts, PackedTokens, Products, portable};

/// The token type table of an embedding, which DistilBERT does not have.
#[derive(Clone, Debug, ExtensionType)]
pub enum TokenTypeTable<B: Backend> {
    /// No token types.
    Absent,
    /// One row per token type, `[type_vocab_size, hidden]`.
    Table(FloatTensor<B>),
}

/// The operations of a transformer encoder on packed tokens. `tokens` is the number of tokens of
/// all sequences together; no argument has padding.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cuda"),
    Autodiff
)]
pub trait EncoderOps: Backend {
    /// `activation(x · weight + bias)`: `[tokens, in]`, `[in, out]`, `[out]` to `[tokens, out]`.
    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
        products: Products,
    ) -> FloatTensor<Self> {
        portable::linear::<Self>(x, weight, bias, activation, products.precision)
    }

    /// `activation(x · weight + bias + scaling · dropout(x) · a · b)`, a linear layer with low-rank
    /// adaptation: `a` is `[in, r]` and `b` `[r, out]`.
    fn lora(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        activation: Activation,
        lora: LoraProducts,
    ) -> FloatTensor<Self> {
        portable::lora::<Self>(x, weight, bias, a, b, activation, &lora)
    }

    /// An activation function alone: where something is added between a linear layer and its
    /// activation.
    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        activation.apply::<Self>(x)
    }

    /// `grad` times the activation's derivative at `x`, its input.
    fn activation_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        activation.gradient::<Self>(x, grad)
    }

    /// Multi-head attention inside each sequence, `softmax(q · kᵀ / √d) · v` with dropout on the
    /// probabilities: `[queries, heads · d]`, twice `[keys, heads · d]` to `[queries, heads · d]`.
    fn attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        shape: AttentionShape,
        dropout: Dropout,
    ) -> FloatTensor<Self> {
        portable::attention::<Self>(query, key, value, &shape, dropout)
    }

    /// `norm(dropout(x) + residual)`: the end of each half of an encoder layer; `[tokens, hidden]`,
    /// `gamma` and `beta` `[hidden]`.
    fn dropout_residual_norm(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        dropout: Dropout,
    ) -> FloatTensor<Self> {
        portable::dropout_residual_norm::<Self>(x, residual, gamma, beta, epsilon, dropout).0
    }

    /// `dropout(norm(word[ids] + position[positions] + token_type[type_ids]))`, `[tokens, hidden]`.
    #[allow(clippy::too_many_arguments)]
    fn embedding_norm(
        word: FloatTensor<Self>,
        position: FloatTensor<Self>,
        #[extension_type] token_type: TokenTypeTable<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        tokens: PackedTokens,
        epsilon: f64,
        dropout: Dropout,
    ) -> FloatTensor<Self> {
        let (result, _) = portable::embedding_norm::<Self>(
            word, position, token_type, gamma, beta, &tokens, epsilon, dropout,
        );
        result
    }

    /// The gradient of a table of `rows` rows, of which row `ids[i]` went into row `i`: `[tokens,
    /// hidden]` to `[rows, hidden]`.
    fn embedding_gradient(
        grad: FloatTensor<Self>,
        ids: Arc<[u32]>,
        rows: usize,
    ) -> FloatTensor<Self> {
        portable::embedding_gradient::<Self>(grad, &ids, rows)
    }

    /// Inverted dropout of `[rows, columns]`.
    fn dropout(x: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        portable::dropout::<Self>(x, dropout)
    }

    /// Sum of `-log softmax(logits)[target]` over the rows, divided by `denominator`:
    /// `[batch, classes]` to `[1]`.
    fn softmax_cross_entropy(
        logits: FloatTensor<Self>,
        targets: Arc<[u32]>,
        denominator: f64,
    ) -> FloatTensor<Self> {
        portable::softmax_cross_entropy::<Self>(logits, &targets, denominator)
    }
}

#[cfg(feature = "flex")]
impl EncoderOps for burn::backend::Flex {
    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
        products: Products,
    ) -> FloatTensor<Self> {
        flex::linear(x, weight, bias, activation, products)
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
        let (sum, _) = crate::lora::forward::<Self>(x, weight, bias, a, b, &lora);
        flex::activate(sum, activation)
    }

    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        flex::activate(x, activation)
    }

    fn activation_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        flex::activation_gradient(x, grad, activation)
    }

    fn attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        shape: AttentionShape,
        dropout: Dropout,
    ) -> FloatTensor<Self> {
        flex::attention(query, key, value, &shape, dropout)
    }

    fn dropout_residual_norm(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        dropout: Dropout,
    ) -> FloatTensor<Self> {
        flex::dropout_residual_norm(x, residual, gamma, beta, epsilon, dropout)
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
        flex::embedding_norm(
            word, position, token_type, gamma, beta, &tokens, epsilon, dropout,
        )
    }

    fn embedding_gradient(
        grad: FloatTensor<Self>,
        ids: Arc<[u32]>,
        rows: usize,
    ) -> FloatTensor<Self> {
        flex::embedding_gradient(grad, &ids, rows)
    }

    fn dropout(x: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        flex::dropout(x, dropout)
    }
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)] // Burn prefers flex, as we do; ndarray stays as the second CPU backend.
impl EncoderOps for burn::backend::NdArray {}

#[cfg(feature = "cuda")]
impl EncoderOps for burn::backend::Cuda {}
