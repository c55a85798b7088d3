//! The softmax of rows and its gradient. Rows are padded to whole vectors.

use super::{
    math::{exp, mul_add},
    multiversion::multiversion,
    sum::{folded, total},
};

/// Rows start at multiples of this, the length of the widest vectors.
pub(super) const LANES: usize = 16;

/// Number of elements that stay in the L1 cache between loops over them.
const CACHED: usize = 1 << 12;

multiversion! {
    /// Replaces the first `columns` elements of each row of length `stride` by `softmax(scale · row)`,
    /// and the rest by zeros.
    pub(super) fn softmax(rows: &mut [f32], columns: usize, stride: usize, scale: f32) {
        for rows in rows.chunks_mut((CACHED / stride).max(1) * stride) {
            for row in rows.chunks_exact_mut(stride) {
                row[columns..].fill(f32::NEG_INFINITY);
                let (row, _) = row.as_chunks_mut::<LANES>();
                let largest = largest(row);
                for x in row.as_flattened_mut() {
                    *x = (*x - largest) * scale;
                }
            }
            // A single loop over all rows, since they may be short.
            for x in rows.iter_mut() {
                *x = exp::<FMA>(*x);
            }
            for row in rows.chunks_exact_mut(stride) {
                let (row, _) = row.as_chunks_mut::<LANES>();
                let factor = 1.0 / sum(row);
                for x in row.as_flattened_mut() {
                    *x *= factor;
                }
            }
        }
    }
}

multiversion! {
    /// Computes the gradient of the scores from a row of probabilities `p` and their gradient `g`:
    /// replaces `g` by `scale · p · (g - sum(p · g))`.
    pub(super) fn softmax_gradient(probabilities: &[f32], grad: &mut [f32], scale: f32) {
        let (probabilities, _) = probabilities.as_chunks::<LANES>();
        let (grad, _) = grad.as_chunks_mut::<LANES>();
        let mut lanes = [0.0; LANES];
        for (p, g) in probabilities.iter().zip(grad.iter()) {
            for (lane, (p, g)) in lanes.iter_mut().zip(p.iter().zip(g)) {
                *lane = mul_add::<FMA>(*p, *g, *lane);
            }
        }
        let sum = total(lanes);
        for (p, g) in probabilities.iter().zip(grad) {
            for (p, g) in p.iter().zip(g) {
                *g = *p * scale * (*g - sum);
            }
        }
    }
}

#[inline(always)]
pub(super) fn largest(row: &[[f32; LANES]]) -> f32 {
    // `max` is slower. A NaN reaches the exponentials anyway.
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for piece in row {
        for (lane, x) in lanes.iter_mut().zip(piece) {
            *lane = larger(*lane, *x);
        }
    }
    folded(lanes, larger)
}

#[inline(always)]
fn sum(row: &[[f32; LANES]]) -> f32 {
    let mut lanes = [0.0; LANES];
    for piece in row {
        for (lane, x) in lanes.iter_mut().zip(piece) {
            *lane += x;
        }
    }
    total(lanes)
}
