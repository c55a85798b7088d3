use burn::backend::{Backend, tensor::FloatTensor};

use super::indices;
use crate::{PackedTokens, TokenTypeTable};

/// `word[ids] + position[positions] + token_type[type_ids]`, `[tokens, hidden]`.
pub(crate) fn embedding_sum<B: Backend>(
    word: FloatTensor<B>,
    position: FloatTensor<B>,
    token_type: TokenTypeTable<B>,
    tokens: &PackedTokens,
) -> FloatTensor<B> {
    let rows = |table: FloatTensor<B>, ids: &[u32]| {
        let ids = indices::<B>(ids.iter().copied(), &table);
        B::float_select(table, 0, ids)
    };
    let mut sum = rows(word, &tokens.ids);
    // transformers adds the token types first; the order decides the last bit.
    if let TokenTypeTable::Table(table) = token_type {
        sum = B::float_add(sum, rows(table, &tokens.type_ids));
    }
    B::float_add(sum, rows(position, &tokens.positions))
}
