//! Layer norms, forward and backward, in one pass over memory while a row is in the cache.

use rayon::prelude::*;

use super::{
    math::mul_add,
    multiversion::multiversion,
    sum::{dot, sum},
};
use crate::Dropout;

/// Number of rows that a thread processes at a time.
pub(super) const ROWS: usize = 16;
/// Maximum number of partial sums per column, so that adding them up stays cheap.
const PIECES: usize = 64;

/// Scale, shift, and epsilon of a layer norm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Norm<'a> {
    /// `[columns]`
    pub(crate) gamma: &'a [f32],
    /// `[columns]`
    pub(crate) beta: &'a [f32],
    pub(crate) epsilon: f32,
}

/// Replaces `x` by `norm(dropout(x) + residual)`.
pub(crate) fn dropout_residual_norm(
    x: &mut [f32],
    residual: &[f32],
    norm: Norm<'_>,
    dropout: Dropout,
) {
    let columns = norm.gamma.len();
    let pieces = x.par_chunks_mut(ROWS * columns);
    let pieces = pieces.zip(residual.par_chunks(ROWS * columns)).enumerate();
    pieces.for_each(|(piece, (x, residual))| {
        let rows = x.chunks_mut(columns).zip(residual.chunks(columns));
        for (row, (x, residual)) in rows.enumerate() {
            add_dropped(x, residual, piece * ROWS + row, dropout);
            normalize_and_scale(x, norm.gamma, norm.beta, norm.epsilon);
        }
    });
}

/// Writes `norm(dropout(x) + residual)` to `result`, replaces `x` by the normalized rows, and writes the
/// standard deviations by which they were divided to `deviations`, `[rows]`.
pub(crate) fn dropout_residual_norm_keeping(
    x: &mut [f32],
    residual: &[f32],
    norm: Norm<'_>,
    dropout: Dropout,
    result: &mut [f32],
    deviations: &mut [f32],
) {
    let columns = norm.gamma.len();
    let pieces = x.par_chunks_mut(ROWS * columns);
    let pieces = pieces.zip(residual.par_chunks(ROWS * columns));
    let pieces = pieces.zip(result.par_chunks_mut(ROWS * columns));
    let pieces = pieces.zip(deviations.par_chunks_mut(ROWS)).enumerate();
    pieces.for_each(|(piece, (((x, residual), result), deviations))| {
        let rows = x.chunks_mut(columns).zip(residual.chunks(columns));
        let rows = rows.zip(result.chunks_mut(columns)).zip(deviations);
        for (row, (((x, residual), result), deviation)) in rows.enumerate() {
            add_dropped(x, residual, piece * ROWS + row, dropout);
            *deviation = normalize(x, norm.gamma, norm.beta, norm.epsilon, result);
        }
    });
}

/// Replaces `x` by `dropout(x) + residual`, for rows of `columns` elements.
pub(crate) fn dropout_residual(x: &mut [f32], residual: &[f32], columns: usize, dropout: Dropout) {
    let pieces = x.par_chunks_mut(ROWS * columns);
    let pieces = pieces.zip(residual.par_chunks(ROWS * columns)).enumerate();
    pieces.for_each(|(piece, (x, residual))| {
        let rows = x.chunks_mut(columns).zip(residual.chunks(columns));
        for (row, (x, residual)) in rows.enumerate() {
            add_dropped(x, residual, piece * ROWS + row, dropout);
        }
    });
}

/// Writes `norm(x)` to `result`.
pub(crate) fn layer_norm(x: &[f32], norm: Norm<'_>, result: &mut [f32]) {
    let columns = norm.gamma.len();
    let pieces = x.par_chunks(ROWS * columns);
    let pieces = pieces.zip(result.par_chunks_mut(ROWS * columns));
    pieces.for_each(|(x, result)| {
        for (x, result) in x.chunks(columns).zip(result.chunks_mut(columns)) {
            result.copy_from_slice(x);
            normalize_and_scale(result, norm.gamma, norm.beta, norm.epsilon);
        }
    });
}

/// Does the work of [`layer_norm`], and also writes the normalized rows to `normal` and the standard
/// deviations by which they were divided to `deviations`, `[rows]`.
pub(crate) fn layer_norm_keeping(
    x: &[f32],
    norm: Norm<'_>,
    result: &mut [f32],
    [normal, deviations]: [&mut [f32]; 2],
) {
    let columns = norm.gamma.len();
    let pieces = x.par_chunks(ROWS * columns);
    let pieces = pieces.zip(result.par_chunks_mut(ROWS * columns));
    let pieces = pieces.zip(normal.par_chunks_mut(ROWS * columns));
    let pieces = pieces.zip(deviations.par_chunks_mut(ROWS));
    pieces.for_each(|(((x, result), normal), deviations)| {
        let rows = x.chunks(columns).zip(result.chunks_mut(columns));
        let rows = rows.zip(normal.chunks_mut(columns)).zip(deviations);
        for (((x, result), normal), deviation) in rows {
            normal.copy_from_slice(x);
            *deviation = normalize(normal, norm.gamma, norm.beta, norm.epsilon, result);
        }
    });
}

/// The values from which the backward pass of a norm starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'a> {
    /// The normalized rows, `[rows, columns]`.
    pub(crate) normal: &'a [f32],
    /// The standard deviations by which they were divided, `[rows]`.
    pub(crate) deviations: &'a [f32],
    /// `[columns]`
    pub(crate) gamma: &'a [f32],
}

/// Replaces `grad` by the gradient of the norm's input.
pub(crate) fn gradient(kept: Kept<'_>, grad: &mut [f32]) {
    pieces(kept, grad, ROWS).for_each(|(rows, grad)| rows.gradient(grad));
}

/// Does the work of [`gradient`], and returns the gradients of gamma and beta, one after the other.
pub(crate) fn gradient_with_parameters(kept: Kept<'_>, grad: &mut [f32]) -> Vec<f32> {
    let (rows, columns) = (kept.deviations.len(), kept.gamma.len());
    // This depends on the shape alone, so that the order of the sums is fixed.
    let rows_per_piece = rows.div_ceil(PIECES).max(ROWS);
    let mut sums = vec![0.0; rows.div_ceil(rows_per_piece) * 2 * columns];
    pieces(kept, grad, rows_per_piece)
        .zip(sums.par_chunks_mut(2 * columns))
        .for_each(|((rows, grad), sums)| {
            rows.add_parameters(grad, sums);
            rows.gradient(grad);
        });
    let (total, others) = sums.split_at_mut(2 * columns);
    for sums in others.chunks(2 * columns) {
        add(total, sums);
    }
    sums.truncate(2 * columns);
    sums
}

/// Divides the rows into pieces, with their parts of `grad`.
fn pieces<'a>(
    kept: Kept<'a>,
    grad: &'a mut [f32],
    rows: usize,
) -> impl IndexedParallelIterator<Item = (Kept<'a>, &'a mut [f32])> {
    let size = rows * kept.gamma.len();
    let deviations = kept.deviations.par_chunks(rows);
    let pieces = kept.normal.par_chunks(size).zip(deviations);
    let pieces = pieces.map(move |(normal, deviations)| Kept {
        normal,
        deviations,
        ..kept
    });
    pieces.zip(grad.par_chunks_mut(size))
}

impl Kept<'_> {
    fn gradient(&self, grad: &mut [f32]) {
        let columns = self.gamma.len();
        let rows = grad
            .chunks_mut(columns)
            .zip(self.normal.chunks(columns))
            .zip(self.deviations);
        for ((grad, normal), &deviation) in rows {
            row_gradient(grad, normal, self.gamma, deviation);
        }
    }

    /// Adds the gradients of gamma and of beta to the two halves of `sums`.
    fn add_parameters(&self, grad: &[f32], sums: &mut [f32]) {
        let columns = self.gamma.len();
        let (gamma, beta) = sums.split_at_mut(columns);
        for (grad, normal) in grad.chunks(columns).zip(self.normal.chunks(columns)) {
            add_row(grad, normal, gamma, beta);
        }
    }
}

/// Replaces `x`, which is row `row`, by `dropout(x) + residual`.
fn add_dropped(x: &mut [f32], residual: &[f32], row: usize, dropout: Dropout) {
    if !dropout.is_none() {
        dropout.multiply((row * x.len()) as u64, x);
    }
    add(x, residual);
}

multiversion! {
    /// Replaces `x` by `x + y`.
    pub(crate) fn add(x: &mut [f32], y: &[f32]) {
        for (x, y) in x.iter_mut().zip(y) {
            *x += y;
        }
    }
}

multiversion! {
    /// Normalizes, scales and shifts a row in place.
    pub(super) fn normalize_and_scale(row: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
        let factor = 1.0 / centre::<FMA>(row, epsilon);
        for ((x, gamma), beta) in row.iter_mut().zip(gamma).zip(beta) {
            *x = mul_add::<FMA>(*x * factor, *gamma, *beta);
        }
    }
}

multiversion! {
    /// Normalizes a row in place, writes it scaled and shifted to `result`, and returns the standard
    /// deviation by which it was divided.
    pub(super) fn normalize(
        row: &mut [f32],
        gamma: &[f32],
        beta: &[f32],
        epsilon: f32,
        result: &mut [f32],
    ) -> f32 {
        let deviation = centre::<FMA>(row, epsilon);
        let factor = 1.0 / deviation;
        let parameters = gamma.iter().zip(beta);
        for ((x, result), (gamma, beta)) in row.iter_mut().zip(result).zip(parameters) {
            *x *= factor;
            *result = mul_add::<FMA>(*x, *gamma, *beta);
        }
        deviation
    }
}

/// Subtracts the mean from a row, and returns the row's standard deviation.
#[inline(always)]
fn centre<const FMA: bool>(row: &mut [f32], epsilon: f32) -> f32 {
    let share = 1.0 / row.len() as f32;
    let mean = sum(row) * share;
    row.iter_mut().for_each(|x| *x -= mean);
    mul_add::<FMA>(dot::<FMA>(row, row), share, epsilon).sqrt()
}

multiversion! {
    /// Adds a row's contribution to the gradients of gamma and beta.
    fn add_row(grad: &[f32], normal: &[f32], gamma_sums: &mut [f32], beta_sums: &mut [f32]) {
        let sums = gamma_sums.iter_mut().zip(beta_sums);
        for ((gamma_sum, beta_sum), (grad, normal)) in sums.zip(grad.iter().zip(normal)) {
            *gamma_sum = mul_add::<FMA>(*grad, *normal, *gamma_sum);
            *beta_sum += grad;
        }
    }
}

multiversion! {
    /// Replaces `grad` by `(g - mean(g) - normal · mean(g · normal)) / deviation`, where
    /// `g = grad · gamma`.
    fn row_gradient(grad: &mut [f32], normal: &[f32], gamma: &[f32], deviation: f32) {
        for (grad, gamma) in grad.iter_mut().zip(gamma) {
            *grad *= gamma;
        }
        let share = 1.0 / grad.len() as f32;
        let mean = sum(grad) * share;
        let along = dot::<FMA>(grad, normal) * share;
        let factor = 1.0 / deviation;
        for (grad, normal) in grad.iter_mut().zip(normal) {
            *grad = (*grad - mean - normal * along) * factor;
        }
    }
}
