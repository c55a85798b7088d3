//! The operations on Burn's tensors: what the models call.

use std::sync::Arc;

use burn::{
    Tensor,
    backend::{Dispatch, DispatchTensor},
};

use crate::{
    Activation, AttentionShape, Dropout, EncoderOps, LoraProducts, PackedTokens, Products,
    TokenTypeTable,
};

/// Scale, shift and epsilon of a layer norm.
#[derive(Clone, Debug)]
pub struct Norm {
    /// Scale, `[hidden]`.
    pub gamma: Tensor<1>,
    /// Shift, `[hidden]`.
    pub beta: Tensor<1>,
    /// Added to the variance.
    pub epsilon: f64,
}

/// The tables of an embedding.
#[derive(Clone, Debug)]
pub struct EmbeddingTables {
    /// `[vocab_size, hidden]`
    pub word: Tensor<2>,
    /// `[max_position_embeddings, hidden]`
    pub position: Tensor<2>,
    /// `[type_vocab_size, hidden]`, absent in DistilBERT.
    pub token_type: Option<Tensor<2>>,
}

/// `activation(x · weight + bias)`: `[tokens, in]`, `[in, out]`, `[out]` to `[tokens, out]`.
pub fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: Activation,
    products: impl Into<Products>,
) -> Tensor<2> {
    float(Dispatch::linear(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        activation,
        products.into(),
    ))
}

/// `activation(x · weight + bias + scaling · dropout(x) · a · b)`: a linear layer with low-rank
/// adaptation, `a` `[in, r]` and `b` `[r, out]`.
pub fn lora(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    [a, b]: [Tensor<2>; 2],
    activation: Activation,
    lora: LoraProducts,
) -> Tensor<2> {
    float(Dispatch::lora(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        a.into_dispatch(),
        b.into_dispatch(),
        activation,
        lora,
    ))
}

/// An activation function, element by element.
pub fn activate(x: Tensor<2>, activation: Activation) -> Tensor<2> {
    match activation {
        Activation::Identity => x,
        activation => float(Dispatch::activate(x.into_dispatch(), activation)),
    }
}

/// Multi-head attention inside each sequence: `[queries, hidden]`, twice `[keys, hidden]` to
/// `[queries, hidden]`.
pub fn attention(
    query: Tensor<2>,
    key: Tensor<2>,
    value: Tensor<2>,
    shape: AttentionShape,
    dropout: Dropout,
) -> Tensor<2> {
    float(Dispatch::attention(
        query.into_dispatch(),
        key.into_dispatch(),
        value.into_dispatch(),
        shape,
        dropout,
    ))
}

/// `norm(dropout(x) + residual)`, all `[tokens, hidden]`.
pub fn dropout_residual_norm(
    x: Tensor<2>,
    residual: Tensor<2>,
    norm: Norm,
    dropout: Dropout,
) -> Tensor<2> {
    float(Dispatch::dropout_residual_norm(
        x.into_dispatch(),
        residual.into_dispatch(),
        norm.gamma.into_dispatch(),
        norm.beta.into_dispatch(),
        norm.epsilon,
        dropout,
    ))
}

/// `dropout(norm(word + position + token type))`, `[tokens, hidden]`.
pub fn embedding_norm(
    tables: EmbeddingTables,
    norm: Norm,
    tokens: &PackedTokens,
    dropout: Dropout,
) -> Tensor<2> {
    float(Dispatch::embedding_norm(
        tables.word.into_dispatch(),
        tables.position.into_dispatch(),
        match tables.token_type {
            Some(table) => TokenTypeTable::Table(table.into_dispatch()),
            None => TokenTypeTable::Absent,
        },
        norm.gamma.into_dispatch(),
        norm.beta.into_dispatch(),
        tokens.clone(),
        norm.epsilon,
        dropout,
    ))
}

/// Inverted dropout.
pub fn dropout(x: Tensor<2>, dropout: Dropout) -> Tensor<2> {
    if dropout.is_none() {
        return x;
    }
    float(Dispatch::dropout(x.into_dispatch(), dropout))
}

/// Cross-entropy of `[batch, classes]` logits against class indices, summed over the batch and
/// divided by `denominator` (the number of samples of the whole optimizer step): `[1]`.
pub fn softmax_cross_entropy(
    logits: Tensor<2>,
    targets: Arc<[u32]>,
    denominator: f64,
) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::softmax_cross_entropy(
        logits.into_dispatch(),
        targets,
        denominator,
    ))
}

fn float(tensor: DispatchTensor) -> Tensor<2> {
    Tensor::from_dispatch(tensor)
}
