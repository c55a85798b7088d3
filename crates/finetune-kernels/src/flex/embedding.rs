//! Embeddings, and the gradient of a table.

use burn::{
    backend::{Flex, TensorMetadata, tensor::FloatTensor},
    tensor::TensorData,
};

use super::{are_plain, empty, norm::parameters, values, values_mut};
use crate::{
    Dropout, Normal, PackedTokens, TokenTypeTable,
    cpu::embedding::{self, Tables},
    portable,
};

/// See [`EncoderOps::embedding_norm`](crate::EncoderOps::embedding_norm).
#[allow(clippy::too_many_arguments)]
pub(crate) fn embedding_norm(
    word: FloatTensor<Flex>,
    position: FloatTensor<Flex>,
    token_type: TokenTypeTable<Flex>,
    gamma: FloatTensor<Flex>,
    beta: FloatTensor<Flex>,
    tokens: &PackedTokens,
    epsilon: f64,
    dropout: Dropout,
) -> FloatTensor<Flex> {
    let Some(tables) = tables(&word, &position, &token_type, [&gamma, &beta]) else {
        let (result, _) = portable::embedding_norm::<Flex>(
            word, position, token_type, gamma, beta, tokens, epsilon, dropout,
        );
        return result;
    };
    let mut result = empty([tokens.ids.len(), gamma.shape()[0]]);
    let norm = parameters(&gamma, &beta, epsilon);
    embedding::embedding_norm(tables, tokens, norm, dropout, values_mut(&mut result));
    result
}

/// See [`EncoderGradients::embedding_norm_with_normal`](crate::EncoderGradients).
#[allow(clippy::too_many_arguments)]
pub(crate) fn embedding_norm_with_normal(
    word: FloatTensor<Flex>,
    position: FloatTensor<Flex>,
    token_type: TokenTypeTable<Flex>,
    gamma: FloatTensor<Flex>,
    beta: FloatTensor<Flex>,
    tokens: &PackedTokens,
    epsilon: f64,
    dropout: Dropout,
) -> (FloatTensor<Flex>, Normal<Flex>) {
    let Some(tables) = tables(&word, &position, &token_type, [&gamma, &beta]) else {
        return portable::embedding_norm::<Flex>(
            word, position, token_type, gamma, beta, tokens, epsilon, dropout,
        );
    };
    let count = tokens.ids.len();
    let [mut result, mut normal] = [(); 2].map(|()| empty([count, gamma.shape()[0]]));
    let mut deviation = empty([count, 1]);
    embedding::embedding_norm_with_normal(
        tables,
        tokens,
        parameters(&gamma, &beta, epsilon),
        dropout,
        values_mut(&mut result),
        [values_mut(&mut normal), values_mut(&mut deviation)],
    );
    (result, Normal { normal, deviation })
}

/// The tables as slices, if they and the parameters are plain.
fn tables<'a>(
    word: &'a FloatTensor<Flex>,
    position: &'a FloatTensor<Flex>,
    token_type: &'a TokenTypeTable<Flex>,
    [gamma, beta]: [&FloatTensor<Flex>; 2],
) -> Option<Tables<'a>> {
    let token_type = match token_type {
        TokenTypeTable::Absent => None,
        TokenTypeTable::Table(table) => Some(table),
    };
    let plain = are_plain([word, position, token_type.unwrap_or(word), gamma, beta]);
    plain.then(|| Tables {
        word: values(word),
        position: values(position),
        token_type: token_type.map(values),
    })
}

/// See [`EncoderOps::embedding_gradient`](crate::EncoderOps::embedding_gradient). The zeros come
/// from the system, which gives memory only to the rows that are written; Burn's own zeros are
/// copied, and a large table is in memory twice.
pub(crate) fn embedding_gradient(
    grad: FloatTensor<Flex>,
    ids: &[u32],
    rows: usize,
) -> FloatTensor<Flex> {
    if !are_plain([&grad]) {
        return portable::embedding_gradient::<Flex>(grad, ids, rows);
    }
    let hidden = grad.shape()[1];
    let mut table = vec![0.0f32; rows * hidden];
    for (&id, grad) in ids.iter().zip(values(&grad).chunks_exact(hidden)) {
        let row = &mut table[id as usize * hidden..][..hidden];
        for (sum, grad) in row.iter_mut().zip(grad) {
            *sum += grad;
        }
    }
    FloatTensor::<Flex>::from_data(TensorData::new(table, [rows, hidden]))
}
