//! Embeddings and the gradients of their tables.

use burn::{
    backend::{Flex, TensorMetadata, tensor::FloatTensor},
    tensor::TensorData,
};

use super::{are_plain, empty, norm::parameters, values, values_mut};
use crate::{
    Indices,
    backends::portable,
    cpu::embedding::{self, Tables},
    ops::{EmbeddingNorm, EmbeddingSum, EmbeddingTables, NormBackward, TokenTypeTable},
};

/// See [`EncoderOps::embedding_norm`](crate::ops::EncoderOps::embedding_norm).
pub(super) fn embedding_norm(operation: EmbeddingNorm<Flex>) -> FloatTensor<Flex> {
    let Some(tables) = tables_of_norm(&operation) else {
        return portable::NormKept::embedding_norm(operation).0;
    };
    let EmbeddingNorm {
        norm,
        tokens,
        dropout,
        ..
    } = &operation;
    let mut result = empty([tokens.ids.len(), norm.gamma.shape()[0]]);
    let output = values_mut(&mut result);
    embedding::embedding_norm(tables, tokens, parameters(norm), *dropout, output);
    result
}

/// See [`EncoderOps::embedding_sum`](crate::ops::EncoderOps::embedding_sum).
pub(super) fn embedding_sum(operation: EmbeddingSum<Flex>) -> FloatTensor<Flex> {
    let columns = operation.tables.word.shape()[1];
    let Some(tables) = tables(&operation.tables).filter(|_| columns > 0) else {
        return portable::dropped_embedding_sum(operation);
    };
    let EmbeddingSum {
        tokens, dropout, ..
    } = &operation;
    let mut result = empty([tokens.ids.len(), columns]);
    let output = values_mut(&mut result);
    embedding::embedding_sum(tables, tokens, columns, *dropout, output);
    result
}

/// Returns the tables as slices, if they and the norm's parameters are plain.
pub(super) fn tables_of_norm(operation: &EmbeddingNorm<Flex>) -> Option<Tables<'_>> {
    let parameters = [&operation.norm.gamma, &operation.norm.beta];
    tables(&operation.tables).filter(|_| are_plain(parameters))
}

/// Returns the tables as slices, if they are plain.
fn tables(tables: &EmbeddingTables<Flex>) -> Option<Tables<'_>> {
    let (word, position) = (&tables.word, &tables.position);
    let token_type = match &tables.token_type {
        TokenTypeTable::Absent => None,
        TokenTypeTable::Table(table) => Some(table),
    };
    let plain = are_plain([word, position, token_type.unwrap_or(word)]);
    plain.then(|| Tables {
        word: values(word),
        position: values(position),
        token_type: token_type.map(values),
        scale: tables.scale as f32,
    })
}

/// See [`EncoderOps::scatter_rows`](crate::ops::EncoderOps::scatter_rows). The zeros come from the
/// system, which allocates memory only for the rows that are written; Burn's own zeros are copied, and a
/// large table would be in memory twice.
pub(super) fn scatter_rows(
    added: FloatTensor<Flex>,
    places: &Indices,
    rows: usize,
) -> FloatTensor<Flex> {
    if !are_plain([&added]) {
        return portable::scatter_rows::<Flex>(added, places, rows);
    }
    let columns = added.shape()[1];
    let mut table = vec![0.0f32; rows * columns];
    let lines = values(&added).chunks_exact(columns);
    for (&place, line) in places.iter().zip(lines) {
        let row = &mut table[place as usize * columns..][..columns];
        for (sum, value) in row.iter_mut().zip(line) {
            *sum += value;
        }
    }
    FloatTensor::<Flex>::from_data(TensorData::new(table, [rows, columns]))
}
