//! Embeddings and the gradients of their tables.

use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{IndexingUpdateOp, Shape},
};

use super::{dropout, upload};
use crate::{
    Indices, PackedTokens,
    ops::{EmbeddingSum, EmbeddingTables, TokenTypeTable},
};

/// See [`EncoderOps::embedding_sum`](crate::ops::EncoderOps::embedding_sum).
pub(crate) fn dropped_embedding_sum<B: Backend>(operation: EmbeddingSum<B>) -> FloatTensor<B> {
    let sum = embedding_sum(operation.tables, &operation.tokens);
    dropout::<B>(sum, operation.dropout)
}

/// Computes `scale · word[ids] + token_type[type_ids] + position[positions]`, `[tokens, hidden]`.
pub(super) fn embedding_sum<B: Backend>(
    tables: EmbeddingTables<B>,
    tokens: &PackedTokens,
) -> FloatTensor<B> {
    let words = rows::<B>(tables.word, &tokens.ids);
    let sum = match tables.scale {
        1.0 => words,
        scale => B::float_mul_scalar(words, scale.into()),
    };
    // transformers adds the token types first; the order affects the last bit.
    let sum = match tables.token_type {
        TokenTypeTable::Absent => sum,
        TokenTypeTable::Table(table) => B::float_add(sum, rows::<B>(table, &tokens.type_ids)),
    };
    B::float_add(sum, rows::<B>(tables.position, &tokens.positions))
}

/// Gathers the rows `ids` of the table.
fn rows<B: Backend>(table: FloatTensor<B>, ids: &Indices) -> FloatTensor<B> {
    let ids = upload::rows::<B>(ids, &table);
    B::float_select(table, 0, ids)
}

/// See [`EncoderOps::scatter_rows`](crate::ops::EncoderOps::scatter_rows).
pub(crate) fn scatter_rows<B: Backend>(
    values: FloatTensor<B>,
    places: &Indices,
    rows: usize,
) -> FloatTensor<B> {
    let shape = Shape::new([rows, values.shape()[1]]);
    let zeros = B::float_zeros(shape, &values.device(), values.dtype().into());
    let places = upload::rows::<B>(places, &values);
    B::float_select_assign(zeros, 0, places, values, IndexingUpdateOp::Add)
}
