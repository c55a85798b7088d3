//! The operations as functions of Burn's tensors, for models and optimizers.

mod optimizer;

use std::sync::Arc;

use burn::{
    Tensor,
    backend::{Dispatch, DispatchTensor},
};

use crate::{
    Activation, AttentionShape, Dropout, Indices, LoraOptions, MatmulOptions, Offsets,
    PackedTokens, Pooling, Precision,
    ops::{self, EncoderOps, TokenTypeTable},
};

pub use optimizer::{
    Factor, adafactor_factored_update, adafactor_update, adam_rows_step, adam_step, clipping,
    moving_average, scatter_rows, sgd_momentum_step, sgd_step, square_sum, sum, zeros,
};

/// Scale, shift, and epsilon of a layer norm.
#[derive(Clone, Debug)]
pub struct Norm {
    /// Scale, `[hidden]`.
    pub gamma: Tensor<1>,
    /// Shift, `[hidden]`.
    pub beta: Tensor<1>,
    /// The term added to the variance.
    pub epsilon: f64,
}

impl From<Norm> for ops::Norm<Dispatch> {
    fn from(norm: Norm) -> Self {
        Self {
            gamma: norm.gamma.into_dispatch(),
            beta: norm.beta.into_dispatch(),
            epsilon: norm.epsilon,
        }
    }
}

/// The tables of the embeddings.
#[derive(Clone, Debug)]
pub struct EmbeddingTables {
    /// `[vocab_size, hidden]`
    pub word: Tensor<2>,
    /// `[max_position_embeddings, hidden]`
    pub position: Tensor<2>,
    /// `[type_vocab_size, hidden]`, if the model has token types.
    pub token_type: Option<Tensor<2>>,
    /// The factor of the word table's rows.
    pub scale: f64,
}

impl From<EmbeddingTables> for ops::EmbeddingTables<Dispatch> {
    fn from(tables: EmbeddingTables) -> Self {
        Self {
            word: tables.word.into_dispatch(),
            position: tables.position.into_dispatch(),
            token_type: match tables.token_type {
                Some(table) => TokenTypeTable::Table(table.into_dispatch()),
                None => TokenTypeTable::Absent,
            },
            scale: tables.scale,
        }
    }
}

/// Computes `activation(x · weight + bias)`: `[tokens, in]`, `[in, out]`, `[out]` to `[tokens, out]`.
pub fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: Activation,
    matmul: impl Into<MatmulOptions>,
) -> Tensor<2> {
    float(Dispatch::linear(ops::Linear {
        x: x.into_dispatch(),
        weight: weight.into_dispatch(),
        bias: bias.into_dispatch(),
        activation,
        matmul: matmul.into(),
    }))
}

/// Computes `activation(x · weight + bias + scaling · dropout(x) · a · b)`: a linear layer with low-rank
/// adaptation by `a`, `[in, r]`, and `b`, `[r, out]`.
pub fn lora(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    [a, b]: [Tensor<2>; 2],
    activation: Activation,
    options: LoraOptions,
) -> Tensor<2> {
    float(Dispatch::lora(ops::Lora {
        linear: ops::Linear {
            x: x.into_dispatch(),
            weight: weight.into_dispatch(),
            bias: bias.into_dispatch(),
            activation,
            matmul: options.matmul,
        },
        a: a.into_dispatch(),
        b: b.into_dispatch(),
        scaling: options.scaling,
        dropout: options.dropout,
    }))
}

/// Multiplies matrices: `[m, k]`, `[k, n]` to `[m, n]`.
pub fn matmul(a: Tensor<2>, b: Tensor<2>, options: impl Into<MatmulOptions>) -> Tensor<2> {
    float(Dispatch::matmul(
        a.into_dispatch(),
        b.into_dispatch(),
        options.into(),
    ))
}

/// Applies an activation function to each element.
pub fn activate(x: Tensor<2>, activation: Activation) -> Tensor<2> {
    match activation {
        Activation::Identity => x,
        activation => float(Dispatch::activate(x.into_dispatch(), activation)),
    }
}

/// Computes multi-head attention within each sequence: a query of `[queries, hidden]` and key and value
/// of `[keys, hidden]` to `[queries, hidden]`.
pub fn attention(
    query: Tensor<2>,
    key: Tensor<2>,
    value: Tensor<2>,
    shape: AttentionShape,
    dropout: Dropout,
) -> Tensor<2> {
    float(Dispatch::attention(ops::Attention {
        query: query.into_dispatch(),
        key: key.into_dispatch(),
        value: value.into_dispatch(),
        shape,
        dropout,
    }))
}

/// Computes `norm(dropout(x) + residual)`, where all are `[tokens, hidden]`.
pub fn dropout_residual_norm(
    x: Tensor<2>,
    residual: Tensor<2>,
    norm: Norm,
    dropout: Dropout,
) -> Tensor<2> {
    float(Dispatch::dropout_residual_norm(ops::DropoutResidualNorm {
        x: x.into_dispatch(),
        residual: residual.into_dispatch(),
        norm: norm.into(),
        dropout,
    }))
}

/// Computes `dropout(x) + residual`, where all are `[tokens, hidden]`.
pub fn dropout_residual(x: Tensor<2>, residual: Tensor<2>, dropout: Dropout) -> Tensor<2> {
    float(Dispatch::dropout_residual(ops::DropoutResidual {
        x: x.into_dispatch(),
        residual: residual.into_dispatch(),
        dropout,
    }))
}

/// Computes `norm(x)`, `[tokens, hidden]`.
pub fn layer_norm(x: Tensor<2>, norm: Norm) -> Tensor<2> {
    float(Dispatch::norm(ops::LayerNorm {
        x: x.into_dispatch(),
        norm: norm.into(),
    }))
}

/// Computes `dropout(norm(scale · word + position + token type))`, `[tokens, hidden]`.
pub fn embedding_norm(
    tables: EmbeddingTables,
    norm: Norm,
    tokens: &PackedTokens,
    dropout: Dropout,
) -> Tensor<2> {
    float(Dispatch::embedding_norm(ops::EmbeddingNorm {
        tables: tables.into(),
        norm: norm.into(),
        tokens: tokens.clone(),
        dropout,
    }))
}

/// Computes `dropout(scale · word + position + token type)`, `[tokens, hidden]`.
pub fn embedding_sum(
    tables: EmbeddingTables,
    tokens: &PackedTokens,
    dropout: Dropout,
) -> Tensor<2> {
    float(Dispatch::embedding_sum(ops::EmbeddingSum {
        tables: tables.into(),
        tokens: tokens.clone(),
        dropout,
    }))
}

/// Computes one row per sequence from the rows of its tokens: `[tokens, columns]` to
/// `[batch, columns]`. No sequence may be empty.
pub fn pool(x: Tensor<2>, offsets: &Offsets, pooling: Pooling) -> Tensor<2> {
    float(Dispatch::pool(ops::Pool {
        x: x.into_dispatch(),
        offsets: offsets.clone(),
        pooling,
    }))
}

/// Computes `x ∘ scale + shift` with a scale and a shift for each column: `[rows, columns]`, `[columns]`,
/// `[columns]` to `[rows, columns]`.
pub fn affine(x: Tensor<2>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<2> {
    float(Dispatch::affine(
        x.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
    ))
}

/// Computes the dot product of each column of `x` with the same column of `y`: twice `[rows, columns]` to
/// `[columns]`.
pub fn column_products(x: Tensor<2>, y: Tensor<2>) -> Tensor<1> {
    let (x, y) = (x.into_dispatch(), y.into_dispatch());
    Tensor::from_dispatch(Dispatch::column_products(x, y))
}

/// Applies inverted dropout.
pub fn dropout(x: Tensor<2>, dropout: Dropout) -> Tensor<2> {
    if dropout.is_none() {
        return x;
    }
    float(Dispatch::dropout(x.into_dispatch(), dropout))
}

/// Computes the cross-entropy of `[batch, classes]` logits with class indices, summed over the batch and
/// divided by `denominator` (the number of samples in the whole optimizer step), `[1]`.
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

/// Computes the cross-entropy of `softmax(x · tableᵀ + bias)` with the `targets`, `[rows]`, summed over the
/// rows and divided by `denominator`, `[1]`: `[rows, width]`, `[vocab_size, width]`, `[vocab_size]`. The
/// logits of only a part of the rows are in memory at a time.
pub fn vocabulary_cross_entropy(
    x: Tensor<2>,
    table: Tensor<2>,
    bias: Tensor<1>,
    targets: &Indices,
    denominator: f64,
    precision: Precision,
) -> Tensor<1> {
    let operation = ops::VocabularyCrossEntropy {
        x: x.into_dispatch(),
        table: table.into_dispatch(),
        bias: bias.into_dispatch(),
        targets: targets.clone(),
        denominator,
        precision,
    };
    Tensor::from_dispatch(Dispatch::vocabulary_cross_entropy(operation))
}

/// Computes how far the student's attention is from the teacher's: the Kullback-Leibler divergence of
/// `softmax(q · kᵀ / √d)` within each sequence, summed over all heads and tokens and divided by
/// `denominator`, `[1]`. `student` and `teacher` are queries and keys, `[tokens, heads · d]` each; the sizes
/// of their heads may differ. The teacher's take no gradient.
pub fn attention_transfer(
    student: [Tensor<2>; 2],
    teacher: [Tensor<2>; 2],
    offsets: &Offsets,
    heads: usize,
    denominator: f64,
) -> Tensor<1> {
    let [query, key] = student.map(Tensor::into_dispatch);
    let [teacher_query, teacher_key] = teacher.map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::attention_transfer(ops::AttentionTransfer {
        query,
        key,
        teacher_query,
        teacher_key,
        offsets: offsets.clone(),
        heads,
        denominator,
    }))
}

fn float(tensor: DispatchTensor) -> Tensor<2> {
    Tensor::from_dispatch(tensor)
}
