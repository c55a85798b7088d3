//! Sums of squares, and the factor that clips gradients: each cube adds up a part of a tensor, and one cube
//! adds up the parts.

use burn::backend::{Cube, tensor::FloatTensor};
use burn_cubecl::cubecl::{self, prelude::*};

use super::{
    super::{
        buffers::{buffer, empty, packed},
        reduce::cube_sum,
    },
    EACH, UNITS, count, owned,
};
use crate::ops::optimizer::square_parts;

/// Added to the norm before it divides, as in torch.
const EPSILON: f32 = 1e-6;

/// See [`OptimizerOps::square_sum`](crate::ops::OptimizerOps::square_sum).
pub(in super::super) fn square_sum(tensor: FloatTensor<Cube>) -> FloatTensor<Cube> {
    let parts = square_parts(count(&tensor));
    let result = empty(&tensor, [1]);
    let sums = empty(&tensor, [parts.max(1)]);
    let sums = put_square_sums(sums, tensor, 0);
    // SAFETY: the kernel reads as many sums as there are parts.
    unsafe {
        total_kernel::launch_unchecked(
            &sums.client,
            CubeCount::Static(1, 1, 1),
            CubeDim::new_1d(UNITS),
            buffer(&sums),
            buffer(&result),
            parts,
        );
    }
    result
}

/// See [`OptimizerOps::put_square_sums`](crate::ops::OptimizerOps::put_square_sums).
pub(in super::super) fn put_square_sums(
    sums: FloatTensor<Cube>,
    tensor: FloatTensor<Cube>,
    place: usize,
) -> FloatTensor<Cube> {
    let (sums, tensor) = (owned(sums), packed(tensor));
    let length = count(&tensor);
    let parts = square_parts(length);
    if parts > 0 {
        // SAFETY: the kernel reads below the length and writes a sum for each part, from `place` on.
        unsafe {
            parts_kernel::launch_unchecked(
                &tensor.client,
                CubeCount::Static(parts as u32, 1, 1),
                CubeDim::new_1d(UNITS),
                buffer(&tensor),
                buffer(&sums),
                place,
                parts,
                length,
            );
        }
    }
    sums
}

/// See [`OptimizerOps::clip_factor`](crate::ops::OptimizerOps::clip_factor).
pub(in super::super) fn clip_factor(
    sums: FloatTensor<Cube>,
    max_norm: f64,
) -> (FloatTensor<Cube>, FloatTensor<Cube>) {
    let (norm, factor) = (empty(&sums, [1]), empty(&sums, [1]));
    let number = count(&sums);
    let sums = match number {
        // Not read, but a buffer must not be empty.
        0 => norm.clone(),
        _ => packed(sums),
    };
    // SAFETY: the kernel reads as many sums as there are.
    unsafe {
        clip_kernel::launch_unchecked(
            &sums.client,
            CubeCount::Static(1, 1, 1),
            CubeDim::new_1d(UNITS),
            buffer(&sums),
            buffer(&norm),
            buffer(&factor),
            (max_norm as f32).min(f32::MAX),
            number,
        );
    }
    (norm, factor)
}

#[cube(launch_unchecked)]
fn parts_kernel(values: &[f32], sums: &mut [f32], place: usize, parts: usize, length: usize) {
    let stride = parts * UNITS as usize;
    let first = CUBE_POS as usize * UNITS as usize + UNIT_POS as usize;
    let mut sum = 0.0f32;
    for piece in 0..length.div_ceil(stride * EACH) {
        #[unroll]
        for part in 0..EACH {
            let element = first + (piece * EACH + part) * stride;
            if element < length {
                sum = fma(values[element], values[element], sum);
            }
        }
    }
    let sum = cube_sum(sum, UNITS);
    if UNIT_POS == 0 {
        sums[place + CUBE_POS as usize] = sum;
    }
}

/// Adds up `number` values, by all units of a cube.
#[cube]
pub(super) fn total(values: &[f32], number: usize) -> f32 {
    let mut sum = 0.0f32;
    let pieces = number.div_ceil(UNITS as usize);
    for piece in 0..pieces {
        let index = piece * UNITS as usize + UNIT_POS as usize;
        if index < number {
            sum += values[index];
        }
    }
    cube_sum(sum, UNITS)
}

#[cube(launch_unchecked)]
fn total_kernel(parts: &[f32], result: &mut [f32], number: usize) {
    let sum = total(parts, number);
    if UNIT_POS == 0 {
        result[0] = sum;
    }
}

#[cube(launch_unchecked)]
fn clip_kernel(parts: &[f32], norm: &mut [f32], factor: &mut [f32], max_norm: f32, number: usize) {
    let length = total(parts, number).sqrt();
    if UNIT_POS == 0 {
        norm[0] = length;
        factor[0] = clamp_max(max_norm / (length + EPSILON), 1.0f32);
    }
}
