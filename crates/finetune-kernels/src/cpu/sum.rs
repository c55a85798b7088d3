//! Sums over a row in several lanes, in an order that depends on the row's length alone.

use super::math::mul_add;

/// Number of lanes: two of the widest vectors, to hide the latency of additions.
const LANES: usize = 32;

/// Sums all values.
#[inline(always)]
pub(super) fn sum(values: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (pieces, rest) = values.as_chunks::<LANES>();
    for piece in pieces {
        for (lane, value) in lanes.iter_mut().zip(piece) {
            *lane += value;
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += value;
    }
    total(lanes)
}

/// Computes the dot product.
#[inline(always)]
pub(super) fn dot<const FMA: bool>(x: &[f32], y: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (xs, x_rest) = x.as_chunks::<LANES>();
    let (ys, y_rest) = y.as_chunks::<LANES>();
    for (x, y) in xs.iter().zip(ys) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane = mul_add::<FMA>(*x, *y, *lane);
        }
    }
    for (lane, (x, y)) in lanes.iter_mut().zip(x_rest.iter().zip(y_rest)) {
        *lane = mul_add::<FMA>(*x, *y, *lane);
    }
    total(lanes)
}

/// Sums the lanes.
#[inline(always)]
pub(super) fn total<const N: usize>(lanes: [f32; N]) -> f32 {
    folded(lanes, |a, b| a + b)
}

/// Combines all lanes, whose number is a power of 2, by repeatedly folding one half onto the other.
#[inline(always)]
pub(super) fn folded<const N: usize>(
    mut lanes: [f32; N],
    combine: impl Fn(f32, f32) -> f32,
) -> f32 {
    let mut width = N / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = combine(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}
