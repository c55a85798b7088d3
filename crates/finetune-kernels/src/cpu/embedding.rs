//! The normalized sum of embeddings, computed while a row is in the cache.

use rayon::prelude::*;

use super::{
    multiversion::multiversion,
    norm::{Norm, ROWS, add, normalize, normalize_and_scale},
};
use crate::{Dropout, PackedTokens};

/// The tables, row-major.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables<'a> {
    pub(crate) word: &'a [f32],
    pub(crate) position: &'a [f32],
    pub(crate) token_type: Option<&'a [f32]>,
    /// The factor of the words' rows.
    pub(crate) scale: f32,
}

impl Tables<'_> {
    /// Computes `scale · word + token_type + position` of a token. The order is that of transformers, and
    /// affects the last bit.
    fn sum(&self, tokens: &PackedTokens, token: usize, sum: &mut [f32]) {
        let columns = sum.len();
        let rows = |index: u32| index as usize * columns..(index as usize + 1) * columns;
        let word = &self.word[rows(tokens.ids[token])];
        match self.scale {
            1.0 => sum.copy_from_slice(word),
            scale => scaled(word, scale, sum),
        }
        if let Some(table) = self.token_type {
            add(sum, &table[rows(tokens.type_ids[token])]);
        }
        add(sum, &self.position[rows(tokens.positions[token])]);
    }
}

/// Writes `dropout(norm(sum of embeddings))` into `result`.
pub(crate) fn embedding_norm(
    tables: Tables<'_>,
    tokens: &PackedTokens,
    norm: Norm<'_>,
    dropout: Dropout,
    result: &mut [f32],
) {
    let columns = norm.gamma.len();
    let pieces = result.par_chunks_mut(ROWS * columns).enumerate();
    pieces.for_each(|(piece, result)| {
        for (row, result) in result.chunks_mut(columns).enumerate() {
            let token = piece * ROWS + row;
            tables.sum(tokens, token, result);
            normalize_and_scale(result, norm.gamma, norm.beta, norm.epsilon);
            drop_row(result, token, dropout);
        }
    });
}

/// Does the work of [`embedding_norm`], and also writes the normalized rows to `normal` and the standard
/// deviations by which they were divided to `deviations`, `[tokens]`.
pub(crate) fn embedding_norm_keeping(
    tables: Tables<'_>,
    tokens: &PackedTokens,
    norm: Norm<'_>,
    dropout: Dropout,
    result: &mut [f32],
    [normal, deviations]: [&mut [f32]; 2],
) {
    let columns = norm.gamma.len();
    let pieces = result.par_chunks_mut(ROWS * columns);
    let pieces = pieces.zip(normal.par_chunks_mut(ROWS * columns));
    let pieces = pieces.zip(deviations.par_chunks_mut(ROWS)).enumerate();
    pieces.for_each(|(piece, ((result, normal), deviations))| {
        let rows = result
            .chunks_mut(columns)
            .zip(normal.chunks_mut(columns))
            .zip(deviations);
        for (row, ((result, normal), deviation)) in rows.enumerate() {
            let token = piece * ROWS + row;
            tables.sum(tokens, token, normal);
            *deviation = normalize(normal, norm.gamma, norm.beta, norm.epsilon, result);
            drop_row(result, token, dropout);
        }
    });
}

/// Writes `dropout(sum of embeddings)` into `result`, `[tokens, columns]`.
pub(crate) fn embedding_sum(
    tables: Tables<'_>,
    tokens: &PackedTokens,
    columns: usize,
    dropout: Dropout,
    result: &mut [f32],
) {
    let pieces = result.par_chunks_mut(ROWS * columns).enumerate();
    pieces.for_each(|(piece, result)| {
        for (row, result) in result.chunks_mut(columns).enumerate() {
            let token = piece * ROWS + row;
            tables.sum(tokens, token, result);
            drop_row(result, token, dropout);
        }
    });
}

multiversion! {
    fn scaled(x: &[f32], scale: f32, result: &mut [f32]) {
        for (result, x) in result.iter_mut().zip(x) {
            *result = x * scale;
        }
    }
}

fn drop_row(row: &mut [f32], token: usize, dropout: Dropout) {
    if !dropout.is_none() {
        dropout.multiply((token * row.len()) as u64, row);
    }
}
