//! Adafactor's updates.

use burn::backend::{Cube, tensor::FloatTensor};
use burn_cubecl::{
    cubecl::{self, prelude::*},
    tensor::CubeTensor,
};

use super::{
    super::{
        buffers::{buffer, cube_each, dims, empty},
        reduce::cube_sum,
    },
    UNITS, count,
    factor::{FactorArguments, factor_of},
    owned,
    squares::total,
};
use crate::{AdafactorStep, cpu::adafactor, ops::Factor};

/// Number of elements of a unit.
const TERMS: usize = 16;
/// Number of elements of a cube, whose squares it adds up.
const PART: usize = UNITS as usize * TERMS;
/// Number of rows whose columns a unit adds up.
const ROWS: usize = 32;

/// The settings that all elements share in a step, as in [`adafactor::Adafactor`].
#[derive(CubeLaunch, CubeType, Clone, Copy)]
struct Adafactor {
    epsilon: f32,
    beta: f32,
    rest: f32,
}

/// Returns the argument for a step.
fn settings(step: AdafactorStep) -> AdafactorLaunch {
    let adafactor = adafactor::Adafactor::from(step);
    AdafactorLaunch::new(adafactor.epsilon, adafactor.beta, adafactor.rest)
}

/// See [`OptimizerOps::adafactor_update`](crate::ops::OptimizerOps::adafactor_update). The update reuses the
/// gradient's memory.
pub(in super::super) fn adafactor_update(
    gradient: FloatTensor<Cube>,
    moment: FloatTensor<Cube>,
    gradient_scale: Factor<Cube>,
    step: AdafactorStep,
) -> (FloatTensor<Cube>, FloatTensor<Cube>) {
    let [gradient, moment] = [gradient, moment].map(owned);
    let length = count(&gradient);
    if length == 0 {
        return (gradient, moment);
    }
    let scale = FactorArguments::new(gradient_scale, &gradient);
    let parts = empty(&gradient, [length.div_ceil(PART)]);
    // SAFETY: the kernel's accesses are below the length, which both tensors have, and one part for each cube.
    unsafe {
        divide_kernel::launch_unchecked(
            &gradient.client,
            cube_each(length.div_ceil(PART)),
            CubeDim::new_1d(UNITS),
            buffer(&gradient),
            buffer(&moment),
            buffer(&parts),
            buffer(&scale.tensor),
            scale.value,
            settings(step),
            length,
            scale.on_device,
        );
    }
    clip(&gradient, &parts, step);
    (gradient, moment)
}

/// See [`OptimizerOps::adafactor_factored_update`](crate::ops::OptimizerOps::adafactor_factored_update). The
/// update reuses the gradient's memory.
pub(in super::super) fn adafactor_factored_update(
    gradient: FloatTensor<Cube>,
    row_moment: FloatTensor<Cube>,
    column_moment: FloatTensor<Cube>,
    gradient_scale: Factor<Cube>,
    step: AdafactorStep,
) -> (FloatTensor<Cube>, FloatTensor<Cube>, FloatTensor<Cube>) {
    let gradient = owned(gradient);
    let [row_moment, column_moment] = [row_moment, column_moment].map(owned);
    let [rows, columns] = dims(&gradient);
    if rows * columns == 0 {
        return (gradient, row_moment, column_moment);
    }
    let scale = FactorArguments::new(gradient_scale, &gradient);
    let pieces = rows.div_ceil(ROWS);
    let column_sums = empty(&gradient, [pieces, columns]);
    let row_mean = empty(&gradient, [1]);
    let parts = empty(&gradient, [count(&gradient).div_ceil(PART)]);
    let across = columns.div_ceil(UNITS as usize) as u32;
    let client = &gradient.client;
    let units = CubeDim::new_1d(UNITS);
    // SAFETY: the kernels' accesses are within rows, columns and pieces, which are the buffers', and one part for
    // each cube.
    unsafe {
        rows_kernel::launch_unchecked(
            client,
            cube_each(rows),
            units,
            buffer(&gradient),
            buffer(&row_moment),
            buffer(&scale.tensor),
            scale.value,
            settings(step),
            rows,
            columns,
            scale.on_device,
        );
        column_sums_kernel::launch_unchecked(
            client,
            CubeCount::Static(across, pieces as u32, 1),
            units,
            buffer(&gradient),
            buffer(&column_sums),
            rows,
            columns,
        );
        columns_kernel::launch_unchecked(
            client,
            CubeCount::Static(across, 1, 1),
            units,
            buffer(&column_sums),
            buffer(&column_moment),
            buffer(&scale.tensor),
            scale.value,
            settings(step),
            pieces,
            rows,
            columns,
            scale.on_device,
        );
        mean_kernel::launch_unchecked(
            client,
            CubeCount::Static(1, 1, 1),
            units,
            buffer(&row_moment),
            buffer(&row_mean),
            rows,
        );
        factored_kernel::launch_unchecked(
            client,
            cube_each(count(&gradient).div_ceil(PART)),
            units,
            buffer(&gradient),
            buffer(&row_moment),
            buffer(&column_moment),
            buffer(&row_mean),
            buffer(&parts),
            buffer(&scale.tensor),
            scale.value,
            rows * columns,
            columns,
            scale.on_device,
        );
    }
    clip(&gradient, &parts, step);
    (gradient, row_moment, column_moment)
}

/// Scales an update down if its root mean square is above the threshold, and multiplies it by the learning
/// rate. `parts` are the sums of its squares.
fn clip(update: &CubeTensor, parts: &CubeTensor, step: AdafactorStep) {
    let length = count(update);
    // SAFETY: the kernel's accesses are below the length and within the parts.
    unsafe {
        clip_kernel::launch_unchecked(
            &update.client,
            cube_each(length.div_ceil(PART)),
            CubeDim::new_1d(UNITS),
            buffer(update),
            buffer(parts),
            step.learning_rate as f32,
            step.clip_threshold as f32,
            length,
        );
    }
}

#[cube(launch_unchecked)]
fn divide_kernel(
    gradient: &mut [f32],
    moment: &mut [f32],
    parts: &mut [f32],
    scale_tensor: &[f32],
    scale: f32,
    adafactor: Adafactor,
    length: usize,
    #[comptime] on_device: bool,
) {
    let part = CUBE_POS as usize;
    if part * PART >= length {
        terminate!();
    }
    let scale = factor_of(scale, scale_tensor, on_device);
    let mut sum = 0.0f32;
    #[unroll]
    for piece in 0..TERMS {
        let element = part * PART + piece * UNITS as usize + UNIT_POS as usize;
        if element < length {
            let scaled = gradient[element] * scale;
            let square = fma(scaled, scaled, adafactor.epsilon);
            let moved = fma(moment[element], adafactor.beta, square * adafactor.rest);
            let update = scaled / moved.sqrt();
            moment[element] = moved;
            gradient[element] = update;
            sum = fma(update, update, sum);
        }
    }
    let sum = cube_sum(sum, UNITS);
    if UNIT_POS == 0 {
        parts[part] = sum;
    }
}

/// Moves each row's moment towards the mean of its squares.
#[cube(launch_unchecked)]
fn rows_kernel(
    gradient: &[f32],
    row_moment: &mut [f32],
    scale_tensor: &[f32],
    scale: f32,
    adafactor: Adafactor,
    rows: usize,
    #[comptime] columns: usize,
    #[comptime] on_device: bool,
) {
    let row = CUBE_POS as usize;
    if row >= rows {
        terminate!();
    }
    let mut sum = 0.0f32;
    for piece in 0..comptime!(columns.div_ceil(UNITS as usize)) {
        let column = piece * UNITS as usize + UNIT_POS as usize;
        if column < columns {
            let value = gradient[row * columns + column];
            sum = fma(value, value, sum);
        }
    }
    let sum = cube_sum(sum, UNITS);
    if UNIT_POS == 0 {
        let scale = factor_of(scale, scale_tensor, on_device);
        let mean = sum * scale * scale / columns as f32 + adafactor.epsilon;
        row_moment[row] = fma(row_moment[row], adafactor.beta, mean * adafactor.rest);
    }
}

/// Adds up the squares of [`ROWS`] rows for each column.
#[cube(launch_unchecked)]
fn column_sums_kernel(gradient: &[f32], sums: &mut [f32], rows: usize, #[comptime] columns: usize) {
    let column = (CUBE_POS_X * UNITS + UNIT_POS) as usize;
    if column >= columns {
        terminate!();
    }
    let piece = CUBE_POS_Y as usize;
    let first = piece * ROWS;
    let last = clamp_max(first + ROWS, rows);
    let mut sum = 0.0f32;
    for row in first..last {
        let value = gradient[row * columns + column];
        sum = fma(value, value, sum);
    }
    sums[piece * columns + column] = sum;
}

/// Moves each column's moment towards the mean of its squares.
#[cube(launch_unchecked)]
fn columns_kernel(
    sums: &[f32],
    column_moment: &mut [f32],
    scale_tensor: &[f32],
    scale: f32,
    adafactor: Adafactor,
    pieces: usize,
    rows: usize,
    #[comptime] columns: usize,
    #[comptime] on_device: bool,
) {
    let column = (CUBE_POS_X * UNITS + UNIT_POS) as usize;
    if column >= columns {
        terminate!();
    }
    let mut sum = 0.0f32;
    for piece in 0..pieces {
        sum += sums[piece * columns + column];
    }
    let scale = factor_of(scale, scale_tensor, on_device);
    let mean = sum * scale * scale / rows as f32 + adafactor.epsilon;
    column_moment[column] = fma(column_moment[column], adafactor.beta, mean * adafactor.rest);
}

/// Computes the mean of the rows' moments.
#[cube(launch_unchecked)]
fn mean_kernel(row_moment: &[f32], mean: &mut [f32], rows: usize) {
    let sum = total(row_moment, rows);
    if UNIT_POS == 0 {
        mean[0] = sum / rows as f32;
    }
}

/// Divides the gradient by the root of the product of both moments, and adds up the squares of the result.
#[cube(launch_unchecked)]
fn factored_kernel(
    gradient: &mut [f32],
    row_moment: &[f32],
    column_moment: &[f32],
    row_mean: &[f32],
    parts: &mut [f32],
    scale_tensor: &[f32],
    scale: f32,
    length: usize,
    #[comptime] columns: usize,
    #[comptime] on_device: bool,
) {
    let part = CUBE_POS as usize;
    if part * PART >= length {
        terminate!();
    }
    let scale = factor_of(scale, scale_tensor, on_device);
    let row_mean = row_mean[0];
    let mut sum = 0.0f32;
    #[unroll]
    for piece in 0..TERMS {
        let element = part * PART + piece * UNITS as usize + UNIT_POS as usize;
        if element < length {
            let row_factor = (row_mean / row_moment[element / columns]).sqrt() * scale;
            let column_factor = 1.0f32 / column_moment[element % columns].sqrt();
            let update = gradient[element] * (row_factor * column_factor);
            gradient[element] = update;
            sum = fma(update, update, sum);
        }
    }
    let sum = cube_sum(sum, UNITS);
    if UNIT_POS == 0 {
        parts[part] = sum;
    }
}

#[cube(launch_unchecked)]
fn clip_kernel(
    update: &mut [f32],
    parts: &[f32],
    learning_rate: f32,
    threshold: f32,
    length: usize,
) {
    let part = CUBE_POS as usize;
    if part * PART >= length {
        terminate!();
    }
    let mean = total(parts, length.div_ceil(PART)) / length as f32;
    let excess = mean.sqrt() / threshold;
    let factor = learning_rate / clamp_min(excess, 1.0f32);
    #[unroll]
    for piece in 0..TERMS {
        let element = part * PART + piece * UNITS as usize + UNIT_POS as usize;
        if element < length {
            update[element] *= factor;
        }
    }
}
