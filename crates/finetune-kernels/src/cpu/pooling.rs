//! Pooling of each sequence's rows, and its gradients.

use rayon::prelude::*;

use super::{multiversion::multiversion, norm::add};
use crate::{Offsets, Pooling};

/// Writes one row per sequence to `result`, `[sequences, columns]`, from `x`, `[tokens, columns]`. A
/// sequence without tokens gets zeros.
pub(crate) fn pool(x: &[f32], offsets: &Offsets, pooling: Pooling, result: &mut [f32]) {
    let columns = result.len() / offsets.batch_size();
    let sequences: Vec<_> = offsets.ranges().collect();
    let rows = result.par_chunks_mut(columns).zip(sequences);
    rows.for_each(|(result, tokens)| {
        let count = tokens.len();
        let mut rows = x[tokens.start * columns..tokens.end * columns].chunks_exact(columns);
        match rows.next() {
            None => result.fill(0.0),
            Some(first) => result.copy_from_slice(first),
        }
        match pooling {
            Pooling::First => {}
            Pooling::Mean => {
                rows.for_each(|row| add(result, row));
                divide(result, count.max(1) as f32);
            }
            Pooling::Max => rows.for_each(|row| raise(result, row)),
        }
    });
}

/// Writes the gradient of the mean to `gradient`, `[tokens, columns]`, from that of the result,
/// `[sequences, columns]`.
pub(crate) fn mean_gradient(grad: &[f32], offsets: &Offsets, gradient: &mut [f32]) {
    let columns = grad.len() / offsets.batch_size();
    let sequences = sequences(offsets, gradient, columns);
    let sequences = sequences.into_par_iter().zip(grad.par_chunks(columns));
    sequences.for_each(|((_, gradient), grad)| {
        let mut rows = gradient.chunks_exact_mut(columns);
        let count = rows.len();
        let Some(first) = rows.next() else { return };
        first.copy_from_slice(grad);
        divide(first, count as f32);
        rows.for_each(|row| row.copy_from_slice(first));
    });
}

/// Writes the gradient of the maximum to `gradient`, `[tokens, columns]`, from the operand, the result,
/// and the result's gradient.
pub(crate) fn max_gradient(
    [x, result, grad]: [&[f32]; 3],
    offsets: &Offsets,
    gradient: &mut [f32],
) {
    let columns = grad.len() / offsets.batch_size();
    let sequences = sequences(offsets, gradient, columns);
    let rows = result.par_chunks(columns).zip(grad.par_chunks(columns));
    let sequences = sequences.into_par_iter().zip(rows);
    sequences.for_each(|((start, gradient), (result, grad))| {
        let mut left = grad.to_vec();
        let rows = gradient.chunks_exact_mut(columns);
        for (gradient, x) in rows.zip(x[start * columns..].chunks_exact(columns)) {
            take_where_equal(&mut left, x, result, gradient);
        }
    });
}

/// Divides rows among the sequences, and returns the index of the first row with each part.
fn sequences<'a>(
    offsets: &Offsets,
    rows: &'a mut [f32],
    columns: usize,
) -> Vec<(usize, &'a mut [f32])> {
    let mut rest = rows;
    let parts = offsets.ranges().map(|tokens| {
        let (own, others) = std::mem::take(&mut rest).split_at_mut(tokens.len() * columns);
        rest = others;
        (tokens.start, own)
    });
    parts.collect()
}

multiversion! {
    fn divide(x: &mut [f32], divisor: f32) {
        for x in x {
            *x /= divisor;
        }
    }
}

multiversion! {
    /// Replaces `x` by the maximum of `x` and `y`; NaN stays.
    fn raise(x: &mut [f32], y: &[f32]) {
        for (x, &y) in x.iter_mut().zip(y) {
            *x = if y > *x || y.is_nan() { y } else { *x };
        }
    }
}

multiversion! {
    /// Moves what is left of a gradient to the columns in which `x` is the maximum.
    fn take_where_equal(left: &mut [f32], x: &[f32], maximum: &[f32], gradient: &mut [f32]) {
        let pairs = x.iter().zip(maximum);
        for ((left, gradient), (x, maximum)) in left.iter_mut().zip(gradient).zip(pairs) {
            let is_here = x == maximum;
            *gradient = if is_here { *left } else { 0.0 };
            *left = if is_here { 0.0 } else { *left };
        }
    }
}
