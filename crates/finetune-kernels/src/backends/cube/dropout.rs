//! Dropout, alone and with a residual connection.

use burn::backend::{Cube, tensor::FloatTensor};
use burn_cubecl::{
    cubecl::{self, prelude::*},
    tensor::CubeTensor,
};

use super::{
    buffers::{UNITS, buffer, cubes_for, empty, packed},
    philox::{Site, kept, site, words},
};
use crate::{Dropout, ops::DropoutResidual};

/// Applies inverted dropout.
pub(super) fn dropout(x: CubeTensor, dropout: Dropout) -> CubeTensor {
    match dropout.is_none() {
        true => x,
        false => dropped(x, None, dropout),
    }
}

/// Computes `dropout(x) + residual`.
pub(super) fn dropout_residual(operation: DropoutResidual<Cube>) -> FloatTensor<Cube> {
    let DropoutResidual {
        x,
        residual,
        dropout,
    } = operation;
    dropped(x, Some(residual), dropout)
}

fn dropped(x: CubeTensor, residual: Option<CubeTensor>, dropout: Dropout) -> CubeTensor {
    let x = packed(x);
    let result = empty(&x, x.meta.shape().clone());
    let count = x.meta.num_elements();
    let adds = residual.is_some();
    let residual = packed(residual.unwrap_or_else(|| x.clone()));
    if count > 0 {
        // SAFETY: the kernel's accesses are within the lengths of the buffers, which are equal.
        unsafe {
            dropout_kernel::launch_unchecked(
                &x.client,
                cubes_for(count.div_ceil(4)),
                CubeDim::new_1d(UNITS),
                buffer(&x),
                buffer(&residual),
                buffer(&result),
                site(&dropout),
                adds,
                !dropout.is_none(),
            );
        }
    }
    result
}

/// Each unit has the four elements of a block of random words.
#[cube(launch_unchecked)]
fn dropout_kernel(
    x: &[f32],
    residual: &[f32],
    result: &mut [f32],
    site: Site,
    #[comptime] adds: bool,
    #[comptime] drops: bool,
) {
    let first = ABSOLUTE_POS * 4;
    if first >= x.len() {
        terminate!();
    }
    let mut factors = Array::<f32>::new(4usize);
    if comptime!(drops) {
        let drawn = words(&site, ABSOLUTE_POS as u32, 0u32);
        factors[0] = kept(&site, drawn.0);
        factors[1] = kept(&site, drawn.1);
        factors[2] = kept(&site, drawn.2);
        factors[3] = kept(&site, drawn.3);
    } else {
        #[unroll]
        for place in 0..4usize {
            factors[place] = 1.0f32;
        }
    }
    #[unroll]
    for place in 0..4usize {
        let element = first + place;
        if element < x.len() {
            let mut value = x[element] * factors[place];
            if comptime!(adds) {
                value += residual[element];
            }
            result[element] = value;
        }
    }
}
