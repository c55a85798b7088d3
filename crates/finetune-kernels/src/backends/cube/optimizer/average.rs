//! Weight averages.

use burn::backend::{Cube, tensor::FloatTensor};
use burn_cubecl::cubecl::{self, prelude::*};

use super::{
    super::buffers::{buffer, packed},
    EACH, ELEMENTS, UNITS, count, cubes, owned,
};

/// See [`OptimizerOps::moving_average`](crate::ops::OptimizerOps::moving_average).
pub(in super::super) fn moving_average(
    average: FloatTensor<Cube>,
    value: FloatTensor<Cube>,
    decay: f64,
) -> FloatTensor<Cube> {
    let average = owned(average);
    let length = count(&average);
    if length > 0 {
        // SAFETY: the kernel's accesses are below the length, which both tensors have.
        unsafe {
            average_kernel::launch_unchecked(
                &average.client,
                cubes(length),
                CubeDim::new_1d(UNITS),
                buffer(&average),
                buffer(&packed(value)),
                (1.0 - decay) as f32,
                length,
            );
        }
    }
    average
}

#[cube(launch_unchecked)]
fn average_kernel(average: &mut [f32], value: &[f32], rest: f32, length: usize) {
    let first = CUBE_POS as usize * ELEMENTS + UNIT_POS as usize;
    #[unroll]
    for piece in 0..EACH {
        let element = first + piece * UNITS as usize;
        if element < length {
            let old = average[element];
            average[element] = fma(value[element] - old, rest, old);
        }
    }
}
