//! Embeddings, and the gradients of their tables.

use std::ops::Range;

use burn::backend::Cube;
use burn_cubecl::{
    CubeDevice,
    cubecl::{self, prelude::*},
    tensor::CubeTensor,
};

use super::{
    buffers::{UNITS, buffer, cube_each, dims, empty, packed, zeros},
    dropout::dropout,
    upload::upload,
};
use crate::{
    Indices, PackedTokens,
    backends::portable::uploaded_rows,
    ops::{EmbeddingSum, EmbeddingTables, TokenTypeTable},
};

/// Number of rows that are added up one after the other. More of them go to one row of a table in two steps.
const ROWS: usize = 32;

/// See [`EncoderOps::embedding_sum`](crate::ops::EncoderOps::embedding_sum).
pub(super) fn embedding_sum(operation: EmbeddingSum<Cube>) -> CubeTensor {
    let sum = sum(operation.tables, &operation.tokens);
    dropout(sum, operation.dropout)
}

/// Computes `scale · word[ids] + token_type[type_ids] + position[positions]`, `[tokens, hidden]`.
pub(super) fn sum(tables: EmbeddingTables<Cube>, tokens: &PackedTokens) -> CubeTensor {
    let word = packed(tables.word);
    let [_, columns] = dims(&word);
    let count = tokens.ids.len();
    let result = empty(&word, [count, columns]);
    let position = packed(tables.position);
    let (token_type, typed) = match tables.token_type {
        TokenTypeTable::Table(table) => (packed(table), true),
        TokenTypeTable::Absent => (word.clone(), false),
    };
    if count * columns > 0 {
        let ids = uploaded_rows::<Cube>(&tokens.ids, &word);
        let positions = uploaded_rows::<Cube>(&tokens.positions, &word);
        let types = match typed {
            true => uploaded_rows::<Cube>(&tokens.type_ids, &word),
            false => ids.clone(),
        };
        // SAFETY: there are as many ids of each kind as cubes with work, and they are rows of their tables.
        unsafe {
            sum_kernel::launch_unchecked(
                &word.client,
                cube_each(count),
                CubeDim::new_1d(UNITS),
                buffer(&word),
                buffer(&position),
                buffer(&token_type),
                buffer(&ids),
                buffer(&positions),
                buffer(&types),
                buffer(&result),
                tables.scale as f32,
                columns,
                typed,
            );
        }
    }
    result
}

#[cube(launch_unchecked)]
fn sum_kernel(
    word: &[f32],
    position: &[f32],
    token_type: &[f32],
    ids: &[u32],
    positions: &[u32],
    types: &[u32],
    result: &mut [f32],
    scale: f32,
    #[comptime] columns: usize,
    #[comptime] typed: bool,
) {
    let token = CUBE_POS as usize;
    if token >= ids.len() {
        terminate!();
    }
    let word_row = ids[token] as usize * columns;
    let position_row = positions[token] as usize * columns;
    let pieces = comptime!(columns.div_ceil(UNITS as usize));
    #[unroll]
    for piece in 0..pieces {
        let column = piece * UNITS as usize + UNIT_POS as usize;
        if column < columns {
            let mut value = scale * word[word_row + column];
            if comptime!(typed) {
                // transformers adds the token types first; the order affects the last bit.
                value += token_type[types[token] as usize * columns + column];
            }
            result[token * columns + column] = value + position[position_row + column];
        }
    }
}

/// The order in which rows are added to those of a table.
#[derive(Clone)]
struct Segments {
    device: CubeDevice,
    rows: usize,
    /// The rows that are added, sorted by where they go, `[n]`.
    order: CubeTensor,
    /// The bounds of pieces of `order`, each for one row of the table, `[pieces + 1]`.
    pieces: CubeTensor,
    /// The bounds of the pieces of each row of the table, `[rows + 1]`; empty if it has at most one each.
    bounds: Option<CubeTensor>,
}

impl Segments {
    fn of(places: &Indices, rows: usize, like: &CubeTensor) -> Self {
        let wanted = |form: &Self| form.rows == rows && form.device == like.device;
        places.forms().get(wanted, || Self::new(places, rows, like))
    }

    fn new(places: &[u32], rows: usize, like: &CubeTensor) -> Self {
        let mut order: Vec<u32> = (0..places.len() as u32).collect();
        order.sort_by_key(|&row| places[row as usize]);
        let mut pieces = vec![0];
        let mut bounds = vec![0];
        let mut start = 0;
        let mut long = false;
        for row in 0..rows as u32 {
            let after = order[start..].partition_point(|&added| places[added as usize] <= row);
            let segment: Range<usize> = start..start + after;
            long |= segment.len() > ROWS;
            let ends = segment
                .clone()
                .step_by(ROWS)
                .map(|first| segment.end.min(first + ROWS) as u32);
            pieces.extend(ends);
            if segment.is_empty() {
                pieces.push(segment.end as u32);
            }
            bounds.push(pieces.len() as u32 - 1);
            start = segment.end;
        }
        Self {
            device: like.device.clone(),
            rows,
            order: upload(&order, like),
            pieces: upload(&pieces, like),
            bounds: long.then(|| upload(&bounds, like)),
        }
    }
}

/// See [`EncoderOps::scatter_rows`](crate::ops::EncoderOps::scatter_rows). Each row of the table adds its rows in
/// their order, so the result does not depend on which of them comes first in time.
pub(super) fn scatter_rows(values: CubeTensor, places: &Indices, rows: usize) -> CubeTensor {
    let values = packed(values);
    let [count, columns] = dims(&values);
    let result = empty(&values, [rows, columns]);
    if rows * columns == 0 {
        return result;
    }
    if count == 0 {
        return zeros(&values, [rows, columns]);
    }
    let segments = Segments::of(places, rows, &values);
    let pieces = segments.pieces.meta.num_elements() - 1;
    let sums = match segments.bounds {
        Some(_) => empty(&values, [pieces, columns]),
        None => result.clone(),
    };
    // SAFETY: pieces are ranges of the order, which has rows of the values; bounds are ranges of the pieces.
    unsafe {
        piece_kernel::launch_unchecked(
            &values.client,
            cube_each(pieces),
            CubeDim::new_1d(UNITS),
            buffer(&values),
            buffer(&segments.order),
            buffer(&segments.pieces),
            buffer(&sums),
            columns,
        );
        if let Some(bounds) = &segments.bounds {
            row_kernel::launch_unchecked(
                &values.client,
                cube_each(rows),
                CubeDim::new_1d(UNITS),
                buffer(&sums),
                buffer(bounds),
                buffer(&result),
                columns,
            );
        }
    }
    result
}

/// Adds up the rows of each piece.
#[cube(launch_unchecked)]
fn piece_kernel(
    values: &[f32],
    order: &[u32],
    pieces: &[u32],
    sums: &mut [f32],
    #[comptime] columns: usize,
) {
    let piece = CUBE_POS as usize;
    if piece + 1 >= pieces.len() {
        terminate!();
    }
    let first = pieces[piece] as usize;
    let last = pieces[piece + 1] as usize;
    let blocks = comptime!(columns.div_ceil(UNITS as usize));
    #[unroll]
    for block in 0..blocks {
        let column = block * UNITS as usize + UNIT_POS as usize;
        if column < columns {
            let mut sum = 0.0f32;
            for place in first..last {
                sum += values[order[place] as usize * columns + column];
            }
            sums[piece * columns + column] = sum;
        }
    }
}

/// Adds up the pieces of each row of the table.
#[cube(launch_unchecked)]
fn row_kernel(sums: &[f32], bounds: &[u32], result: &mut [f32], #[comptime] columns: usize) {
    let row = CUBE_POS as usize;
    if row + 1 >= bounds.len() {
        terminate!();
    }
    let first = bounds[row] as usize;
    let last = bounds[row + 1] as usize;
    let blocks = comptime!(columns.div_ceil(UNITS as usize));
    #[unroll]
    for block in 0..blocks {
        let column = block * UNITS as usize + UNIT_POS as usize;
        if column < columns {
            let mut sum = 0.0f32;
            for piece in first..last {
                sum += sums[piece * columns + column];
            }
            result[row * columns + column] = sum;
        }
    }
}
