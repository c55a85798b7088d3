use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{IndexingUpdateOp, Shape},
};

use super::indices;
use crate::{PackedTokens, TokenTypeTable};

/// `word[ids] + position[positions] + token_type[type_ids]`, `[tokens, hidden]`.
pub(crate) fn embedding_sum<B: Backend>(
    word: FloatTensor<B>,
    position: FloatTensor<B>,
    token_type: TokenTypeTable<B>,
    tokens: &PackedTokens,
) -> FloatTensor<B> {
    sum_of_rows::<B>(
        rows::<B>(word, &tokens.ids),
        match token_type {
            TokenTypeTable::Absent => None,
            TokenTypeTable::Table(table) => Some(rows::<B>(table, &tokens.type_ids)),
        },
        rows::<B>(position, &tokens.positions),
    )
}

/// Row `ids[i]` of the table as row `i`.
pub(crate) fn rows<B: Backend>(table: FloatTensor<B>, ids: &[u32]) -> FloatTensor<B> {
    let ids = indices::<B>(ids.iter().copied(), &table);
    B::float_select(table, 0, ids)
}

/// transformers adds the token types first; the order decides the last bit.
pub(crate) fn sum_of_rows<B: Backend>(
    word: FloatTensor<B>,
    token_type: Option<FloatTensor<B>>,
    position: FloatTensor<B>,
) -> FloatTensor<B> {
    let sum = match token_type {
        Some(token_type) => B::float_add(word, token_type),
        None => word,
    };
    B::float_add(sum, position)
}

/// See [`EncoderOps::embedding_gradient`](crate::EncoderOps::embedding_gradient).
pub(crate) fn embedding_gradient<B: Backend>(
    grad: FloatTensor<B>,
    ids: &[u32],
    rows: usize,
) -> FloatTensor<B> {
    let shape = Shape::new([rows, grad.shape()[1]]);
    let zeros = B::float_zeros(shape, &grad.device(), grad.dtype().into());
    let ids = indices::<B>(ids.iter().copied(), &grad);
    B::float_select_assign(zeros, 0, ids, grad, IndexingUpdateOp::Add)
}
