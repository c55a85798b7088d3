use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{IndexingUpdateOp, Shape},
};

use super::{dropout, indices, layer_norm};
use crate::{Dropout, Normal, PackedTokens, TokenTypeTable};

/// See [`EncoderOps::embedding_norm`](crate::EncoderOps::embedding_norm).
#[allow(clippy::too_many_arguments)]
pub(crate) fn embedding_norm<B: Backend>(
    word: FloatTensor<B>,
    position: FloatTensor<B>,
    token_type: TokenTypeTable<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    tokens: &PackedTokens,
    epsilon: f64,
    dropped: Dropout,
) -> (FloatTensor<B>, Normal<B>) {
    let sum = embedding_sum::<B>(word, position, token_type, tokens);
    let (norm, normal) = layer_norm::<B>(sum, gamma, beta, epsilon);
    (dropout::<B>(norm, dropped), normal)
}

/// `word[ids] + position[positions] + token_type[type_ids]`, `[tokens, hidden]`.
fn embedding_sum<B: Backend>(
    word: FloatTensor<B>,
    position: FloatTensor<B>,
    token_type: TokenTypeTable<B>,
    tokens: &PackedTokens,
) -> FloatTensor<B> {
    let sum = rows::<B>(word, &tokens.ids);
    // transformers adds the token types first; the order decides the last bit.
    let sum = match token_type {
        TokenTypeTable::Absent => sum,
        TokenTypeTable::Table(table) => B::float_add(sum, rows::<B>(table, &tokens.type_ids)),
    };
    B::float_add(sum, rows::<B>(position, &tokens.positions))
}

/// Row `ids[i]` of the table as row `i`.
fn rows<B: Backend>(table: FloatTensor<B>, ids: &[u32]) -> FloatTensor<B> {
    let ids = indices::<B>(ids.iter().copied(), &table);
    B::float_select(table, 0, ids)
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
