//! Optimizer steps: one launch for each tensor, in place where nothing else holds it.

mod adafactor;
mod adam;
mod adam_rows;
mod average;
mod factor;
mod sgd;
mod squares;

use burn_cubecl::{cubecl::prelude::*, tensor::CubeTensor};

use super::buffers::{cube_each, packed};

pub(super) use adafactor::{adafactor_factored_update, adafactor_update};
pub(super) use adam::adam_step;
pub(super) use adam_rows::adam_rows_step;
pub(super) use average::moving_average;
pub(super) use sgd::{sgd_momentum_step, sgd_step};
pub(super) use squares::{clip_factor, put_square_sums, square_sum};

/// Number of units of a cube.
const UNITS: u32 = 256;
/// Number of elements of a unit, which it loads together to hide the memory's latency.
const EACH: usize = 4;
/// Number of elements of a cube.
const ELEMENTS: usize = UNITS as usize * EACH;

/// Returns a cube for every [`ELEMENTS`] of `length` elements.
fn cubes(length: usize) -> CubeCount {
    cube_each(length.div_ceil(ELEMENTS))
}

/// Returns the tensor to be overwritten, or a copy if something else holds it.
fn owned(tensor: CubeTensor) -> CubeTensor {
    let tensor = packed(tensor);
    match tensor.can_mut() {
        true => tensor,
        false => tensor.copy(),
    }
}

/// Returns the number of elements.
fn count(tensor: &CubeTensor) -> usize {
    tensor.meta.num_elements()
}
