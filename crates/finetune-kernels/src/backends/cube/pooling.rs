//! Pooling over the tokens of a sequence, and its gradients: a cube for each sequence.

use burn::backend::Cube;
use burn_cubecl::{
    cubecl::{self, prelude::*},
    tensor::CubeTensor,
};

use super::{
    buffers::{UNITS, buffer, cube_each, dims, empty, packed, zeros},
    upload,
};
use crate::{
    Offsets, Pooling,
    ops::{Pool, PoolMaximum},
};

/// See [`EncoderOps::pool`](crate::ops::EncoderOps::pool).
pub(super) fn pool(operation: Pool<Cube>) -> CubeTensor {
    let x = packed(operation.x);
    let [_, columns] = dims(&x);
    let batch = operation.offsets.batch_size();
    let result = empty(&x, [batch, columns]);
    if batch * columns > 0 {
        let offsets = upload::offsets(&operation.offsets, &x);
        // SAFETY: the offsets are bounds of rows of x, and the result has a row for each sequence.
        unsafe {
            pool_kernel::launch_unchecked(
                &x.client,
                cube_each(batch),
                CubeDim::new_1d(UNITS),
                buffer(&x),
                buffer(&offsets),
                buffer(&result),
                columns,
                operation.pooling,
            );
        }
    }
    result
}

/// See [`EncoderGradients::pool_mean_gradient`](crate::ops::EncoderGradients::pool_mean_gradient).
pub(super) fn pool_mean_gradient(grad: CubeTensor, offsets: &Offsets) -> CubeTensor {
    let grad = packed(grad);
    let [batch, columns] = dims(&grad);
    let tokens = offsets.num_tokens();
    let result = empty(&grad, [tokens, columns]);
    if tokens * columns > 0 {
        let bounds = upload::offsets(offsets, &grad);
        // SAFETY: the offsets are bounds of rows of the result, and grad has a row for each sequence.
        unsafe {
            mean_gradient_kernel::launch_unchecked(
                &grad.client,
                cube_each(batch),
                CubeDim::new_1d(UNITS),
                buffer(&grad),
                buffer(&bounds),
                buffer(&result),
                columns,
            );
        }
    }
    result
}

/// See [`EncoderGradients::pool_max_gradient`](crate::ops::EncoderGradients::pool_max_gradient).
pub(super) fn pool_max_gradient(
    kept: PoolMaximum<Cube>,
    grad: CubeTensor,
    offsets: &Offsets,
) -> CubeTensor {
    let (x, maximum, grad) = (packed(kept.x), packed(kept.result), packed(grad));
    let [tokens, columns] = dims(&x);
    let result = zeros(&x, [tokens, columns]);
    if tokens * columns > 0 {
        let bounds = upload::offsets(offsets, &x);
        // SAFETY: the offsets are bounds of rows of x, of which the result has as many; maximum and grad have a row
        // for each sequence.
        unsafe {
            max_gradient_kernel::launch_unchecked(
                &x.client,
                cube_each(offsets.batch_size()),
                CubeDim::new_1d(UNITS),
                buffer(&x),
                buffer(&maximum),
                buffer(&grad),
                buffer(&bounds),
                buffer(&result),
                columns,
            );
        }
    }
    result
}

#[cube(launch_unchecked)]
fn pool_kernel(
    x: &[f32],
    offsets: &[u32],
    result: &mut [f32],
    #[comptime] columns: usize,
    #[comptime] pooling: Pooling,
) {
    let sequence = CUBE_POS as usize;
    if sequence + 1 >= offsets.len() {
        terminate!();
    }
    let first = offsets[sequence] as usize;
    let end = offsets[sequence + 1] as usize;
    let pieces = comptime!(columns.div_ceil(UNITS as usize));
    #[unroll]
    for piece in 0..pieces {
        let column = piece * UNITS as usize + UNIT_POS as usize;
        if column < columns {
            let mut value = x[first * columns + column];
            match comptime!(pooling) {
                Pooling::First => {}
                Pooling::Mean => {
                    for row in first + 1..end {
                        value += x[row * columns + column];
                    }
                    value /= f32::cast_from(end - first);
                }
                Pooling::Max => {
                    for row in first + 1..end {
                        let other = x[row * columns + column];
                        value = select(other > value, other, value);
                    }
                }
            }
            result[sequence * columns + column] = value;
        }
    }
}

#[cube(launch_unchecked)]
fn mean_gradient_kernel(
    grad: &[f32],
    offsets: &[u32],
    result: &mut [f32],
    #[comptime] columns: usize,
) {
    let sequence = CUBE_POS as usize;
    if sequence + 1 >= offsets.len() {
        terminate!();
    }
    let first = offsets[sequence] as usize;
    let end = offsets[sequence + 1] as usize;
    let pieces = comptime!(columns.div_ceil(UNITS as usize));
    #[unroll]
    for piece in 0..pieces {
        let column = piece * UNITS as usize + UNIT_POS as usize;
        if column < columns {
            let value = grad[sequence * columns + column] / f32::cast_from(end - first);
            for row in first..end {
                result[row * columns + column] = value;
            }
        }
    }
}

/// The gradient goes to the first token that has the maximum.
#[cube(launch_unchecked)]
fn max_gradient_kernel(
    x: &[f32],
    maximum: &[f32],
    grad: &[f32],
    offsets: &[u32],
    result: &mut [f32],
    #[comptime] columns: usize,
) {
    let sequence = CUBE_POS as usize;
    if sequence + 1 >= offsets.len() {
        terminate!();
    }
    let first = offsets[sequence] as usize;
    let end = offsets[sequence + 1] as usize;
    let pieces = comptime!(columns.div_ceil(UNITS as usize));
    #[unroll]
    for piece in 0..pieces {
        let column = piece * UNITS as usize + UNIT_POS as usize;
        if column < columns {
            let wanted = maximum[sequence * columns + column];
            let mut place = end;
            for back in first..end {
                let row = first + end - 1 - back;
                if x[row * columns + column] == wanted {
                    place = row;
                }
            }
            if place < end {
                result[place * columns + column] = grad[sequence * columns + column];
            }
        }
    }
}
