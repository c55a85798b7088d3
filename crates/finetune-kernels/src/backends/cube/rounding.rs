//! Rounding to bf16 on devices that do not compute with it.

use burn_cubecl::{
    cubecl::{self, prelude::*},
    tensor::CubeTensor,
};

use super::buffers::{UNITS, buffer, cubes_for, empty, packed};

/// Rounds each element to the nearest bf16, ties to even, as an f32.
pub(super) fn rounded(x: CubeTensor) -> CubeTensor {
    let x = packed(x);
    let result = empty(&x, x.meta.shape().clone());
    let count = x.meta.num_elements();
    if count > 0 {
        // SAFETY: the kernel's accesses are within the lengths of the buffers.
        unsafe {
            round_kernel::launch_unchecked(
                &x.client,
                cubes_for(count),
                CubeDim::new_1d(UNITS),
                buffer(&x),
                buffer(&result),
            );
        }
    }
    result
}

#[cube(launch_unchecked)]
fn round_kernel(x: &[f32], result: &mut [f32]) {
    if ABSOLUTE_POS < x.len() {
        let value = x[ABSOLUTE_POS];
        let bits = u32::reinterpret(value);
        let even = (bits >> 16u32) & 1u32;
        let near = f32::reinterpret((bits + 0x7FFFu32 + even) & 0xFFFF_0000u32);
        // Adding to the bits of a NaN might give an infinity.
        result[ABSOLUTE_POS] = select(value == value, near, value);
    }
}
