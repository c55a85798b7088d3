//! Sums of columns, in two steps whose order depends on the number of rows alone.

use burn_cubecl::{
    cubecl::{self, prelude::*},
    tensor::CubeTensor,
};

use super::buffers::{UNITS, buffer, dims, empty, packed};

/// Number of rows that a cube adds up in the first step.
pub(super) const ROWS: usize = 32;

/// Sums each column: `[rows, columns]` to `[columns]`.
pub(super) fn column_sums(x: CubeTensor) -> CubeTensor {
    let x = packed(x);
    let [rows, columns] = dims(&x);
    let pieces = rows.div_ceil(ROWS);
    let partial = empty(&x, [pieces.max(1), columns]);
    let result = empty(&x, [columns]);
    let across = columns.div_ceil(UNITS as usize) as u32;
    // SAFETY: the kernels' accesses are within rows, columns and pieces, which are the buffers'.
    unsafe {
        if pieces > 0 {
            partial_kernel::launch_unchecked(
                &x.client,
                CubeCount::Static(across, pieces as u32, 1),
                CubeDim::new_1d(UNITS),
                buffer(&x),
                buffer(&partial),
                rows,
                columns,
            );
        }
        total_kernel::launch_unchecked(
            &x.client,
            CubeCount::Static(across, 1, 1),
            CubeDim::new_1d(UNITS),
            buffer(&partial),
            buffer(&result),
            pieces,
            columns,
        );
    }
    result
}

/// Adds up [`ROWS`] rows of each column.
#[cube(launch_unchecked)]
fn partial_kernel(x: &[f32], partial: &mut [f32], rows: usize, #[comptime] columns: usize) {
    let column = (CUBE_POS_X * UNITS + UNIT_POS) as usize;
    if column >= columns {
        terminate!();
    }
    let piece = CUBE_POS_Y as usize;
    let first = piece * ROWS;
    let last = clamp_max(first + ROWS, rows);
    let mut sum = 0.0f32;
    for row in first..last {
        sum += x[row * columns + column];
    }
    partial[piece * columns + column] = sum;
}

/// Adds up the partial sums of each column.
#[cube(launch_unchecked)]
fn total_kernel(partial: &[f32], result: &mut [f32], pieces: usize, #[comptime] columns: usize) {
    let column = (CUBE_POS_X * UNITS + UNIT_POS) as usize;
    if column >= columns {
        terminate!();
    }
    let mut sum = 0.0f32;
    for piece in 0..pieces {
        sum += partial[piece * columns + column];
    }
    result[column] = sum;
}
