//! The interface between the models and the backends.
//!
//! Each operation is a struct of its operands and a method that takes it. [`EncoderOps`] has the
//! operations themselves, [`EncoderGradients`] those of their backward passes, and [`OptimizerOps`] the
//! optimizers' steps. Methods have portable implementations; a backend that can do better overrides
//! them in its folder of `backends/`, and nothing else changes.

mod activation;
mod attention;
mod embedding;
mod factor;
mod gradients;
mod linear;
pub(crate) mod lora;
pub(crate) mod matmul;
mod norm;
pub(crate) mod optimizer;
mod pooling;
mod rows;
mod steps;
mod transfer;
pub(crate) mod vocabulary;

use std::sync::Arc;

use burn::backend::{Backend, backend_extension, tensor::FloatTensor};

use crate::{Dropout, Indices, backends::portable};

pub use activation::Activation;
pub use attention::{Attention, AttentionShape};
pub use embedding::{EmbeddingNorm, EmbeddingSum, EmbeddingTables, TokenTypeTable};
pub use factor::Factor;
pub use gradients::{AttentionBackward, EncoderGradients, NormBackward};
pub use linear::Linear;
pub use lora::{Lora, LoraOptions};
pub use matmul::{MatmulOptions, PackedWeight, Precision};
pub use norm::{DropoutResidual, DropoutResidualNorm, LayerNorm, Norm, NormGradients};
pub use optimizer::OptimizerOps;
pub use pooling::{Pool, PoolMaximum, Pooling};
pub use rows::TableRows;
pub use steps::{AdafactorStep, AdamStep, SgdStep};
pub use transfer::AttentionTransfer;
pub use vocabulary::VocabularyCrossEntropy;

/// The operations of a transformer encoder on packed tokens. In shapes, `tokens` is the number of tokens
/// of all sequences together; no operand has padding.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Autodiff
)]
pub trait EncoderOps: Backend {
    /// Computes `activation(x · weight + bias)`, `[tokens, out]`.
    fn linear(#[extension_type] operation: Linear<Self>) -> FloatTensor<Self> {
        portable::linear(operation)
    }

    /// Computes `activation(x · weight + bias + scaling · dropout(x) · a · b)`, `[tokens, out]`: a
    /// linear layer with low-rank adaptation.
    fn lora(#[extension_type] operation: Lora<Self>) -> FloatTensor<Self> {
        portable::lora(operation)
    }

    /// Multiplies matrices: `[m, k]`, `[k, n]` to `[m, n]`.
    fn matmul(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        options: MatmulOptions,
    ) -> FloatTensor<Self> {
        portable::matmul::<Self>(a, b, options.precision)
    }

    /// Applies an activation function on its own, where something comes between a linear layer and its
    /// activation.
    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        portable::activate::<Self>(x, activation)
    }

    /// Computes multi-head attention within each sequence, `softmax(q · kᵀ / √d) · v` with dropout of
    /// the probabilities: `[queries, heads · d]`.
    fn attention(#[extension_type] operation: Attention<Self>) -> FloatTensor<Self> {
        portable::attention(operation)
    }

    /// Computes `norm(dropout(x) + residual)`, the end of both blocks of an encoder layer:
    /// `[tokens, hidden]`.
    fn dropout_residual_norm(
        #[extension_type] operation: DropoutResidualNorm<Self>,
    ) -> FloatTensor<Self> {
        portable::NormKept::dropout_residual_norm(operation).0
    }

    /// Computes `dropout(x) + residual`, the end of both blocks of an encoder layer that normalizes
    /// their inputs instead: `[tokens, hidden]`.
    fn dropout_residual(#[extension_type] operation: DropoutResidual<Self>) -> FloatTensor<Self> {
        portable::dropout_residual(operation)
    }

    /// Computes `norm(x)`, `[tokens, hidden]`.
    fn norm(#[extension_type] operation: LayerNorm<Self>) -> FloatTensor<Self> {
        portable::NormKept::layer_norm(operation).0
    }

    /// Computes `dropout(norm(scale · word[ids] + position[positions] + token_type[type_ids]))`,
    /// `[tokens, hidden]`.
    fn embedding_norm(#[extension_type] operation: EmbeddingNorm<Self>) -> FloatTensor<Self> {
        portable::NormKept::embedding_norm(operation).0
    }

    /// Computes `dropout(scale · word[ids] + position[positions] + token_type[type_ids])`,
    /// `[tokens, hidden]`.
    fn embedding_sum(#[extension_type] operation: EmbeddingSum<Self>) -> FloatTensor<Self> {
        portable::dropped_embedding_sum(operation)
    }

    /// Computes one row per sequence from the rows of its tokens: `[tokens, columns]` to
    /// `[batch, columns]`.
    fn pool(#[extension_type] operation: Pool<Self>) -> FloatTensor<Self> {
        portable::pool(operation)
    }

    /// Computes `x ∘ scale + shift`, `[rows, columns]`, with a scale and a shift for each column.
    fn affine(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        portable::affine::<Self>(x, scale, shift)
    }

    /// Computes the dot product of each column of `x` with the same column of `y`: twice
    /// `[rows, columns]` to `[columns]`.
    fn column_products(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::column_products::<Self>(x, y)
    }

    /// Sums rows of `values` into a table of `rows` rows: row `i` of `values` is added to row
    /// `places[i]`. `[n, columns]` to `[rows, columns]`. This is the gradient of an embedding table.
    fn scatter_rows(values: FloatTensor<Self>, places: Indices, rows: usize) -> FloatTensor<Self> {
        portable::scatter_rows::<Self>(values, &places, rows)
    }

    /// Applies inverted dropout to `[rows, columns]`.
    fn dropout(x: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        portable::dropout::<Self>(x, dropout)
    }

    /// Sums `-log softmax(logits)[target]` over the rows and divides by `denominator`: `[batch,
    /// classes]` to `[1]`.
    fn softmax_cross_entropy(
        logits: FloatTensor<Self>,
        targets: Arc<[u32]>,
        denominator: f64,
    ) -> FloatTensor<Self> {
        portable::softmax_cross_entropy::<Self>(logits, &targets, denominator)
    }

    /// Sums `-log softmax(x · tableᵀ + bias)[target]` over the rows of x and divides by the denominator,
    /// `[1]`, with the logits of only a part of the rows in memory at a time.
    fn vocabulary_cross_entropy(
        #[extension_type] operation: VocabularyCrossEntropy<Self>,
    ) -> FloatTensor<Self> {
        portable::vocabulary_cross_entropy(operation)
    }

    /// Sums the Kullback-Leibler divergences of the student's attention from the teacher's,
    /// `Σ t · (log t - log s)` with probabilities `softmax(q · kᵀ / √d)`, over all heads and queries, and
    /// divides by the denominator: `[1]`.
    fn attention_transfer(
        #[extension_type] operation: AttentionTransfer<Self>,
    ) -> FloatTensor<Self> {
        portable::attention_transfer(operation)
    }
}
