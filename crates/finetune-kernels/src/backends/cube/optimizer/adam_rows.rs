//! Steps of Adam for a table of which only a few rows have gradients: a cube for each row.

use burn::backend::{Cube, tensor::FloatTensor};
use burn_cubecl::cubecl::{self, prelude::*};

use super::{
    super::buffers::{UNITS, buffer, cube_each, dims, packed},
    adam::{Adam, settings, updated},
    count,
    factor::{FactorArguments, factor_of},
    owned,
};
use crate::{AdamStep, TableRows, backends::portable::integers, ops::Factor};

/// Number of rows whose use is in one word.
const BITS: usize = 32;

/// See [`OptimizerOps::adam_rows_step`](crate::ops::OptimizerOps::adam_rows_step).
pub(in super::super) fn adam_rows_step(
    parameter: FloatTensor<Cube>,
    gradient: FloatTensor<Cube>,
    moment_1: FloatTensor<Cube>,
    moment_2: FloatTensor<Cube>,
    rows: &TableRows,
    gradient_scale: Factor<Cube>,
    step: AdamStep,
) -> (FloatTensor<Cube>, FloatTensor<Cube>, FloatTensor<Cube>) {
    let [_, columns] = dims(&gradient);
    let [parameter, moment_1, moment_2] = [parameter, moment_1, moment_2].map(owned);
    if count(&parameter) == 0 {
        return (parameter, moment_1, moment_2);
    }
    let table_rows = count(&parameter) / columns;
    let scale = FactorArguments::new(gradient_scale, &parameter);
    let words = words(rows);
    let words = integers::<Cube>(words.iter().copied(), [words.len()], &parameter);
    let gradient = match rows.used.is_empty() {
        // Not read, but a buffer must not be empty.
        true => words.clone(),
        false => packed(gradient),
    };
    // SAFETY: the kernel's accesses are within rows and columns, which are the buffers', and within the words.
    unsafe {
        rows_kernel::launch_unchecked(
            &parameter.client,
            cube_each(table_rows),
            CubeDim::new_1d(UNITS),
            buffer(&parameter),
            buffer(&gradient),
            buffer(&moment_1),
            buffer(&moment_2),
            buffer(&words),
            buffer(&scale.tensor),
            scale.value,
            settings(step),
            table_rows,
            rows.used.len(),
            columns,
            scale.on_device,
            step.decay_factor() != 1.0,
            step.coupled_decay() != 0.0,
        );
    }
    (parameter, moment_1, moment_2)
}

/// Returns a bit for each row of the table, whether it has ever been used, in words; then the rows that are used
/// now, and a number above all rows.
fn words(rows: &TableRows) -> Vec<u32> {
    let bits = rows.ever_used.chunks(BITS).map(|some| {
        let bits = some.iter().enumerate();
        bits.fold(0, |word, (bit, used)| word | u32::from(*used) << bit)
    });
    bits.chain(rows.used.iter().copied())
        .chain([u32::MAX])
        .collect()
}

#[cube(launch_unchecked)]
fn rows_kernel(
    parameter: &mut [f32],
    gradient: &[f32],
    moment_1: &mut [f32],
    moment_2: &mut [f32],
    words: &[u32],
    scale_tensor: &[f32],
    scale: f32,
    adam: Adam,
    rows: usize,
    used: usize,
    #[comptime] columns: usize,
    #[comptime] on_device: bool,
    #[comptime] decays: bool,
    #[comptime] coupled: bool,
) {
    let row = CUBE_POS as usize;
    if row >= rows {
        terminate!();
    }
    let start = row * columns;
    let mut has_moments = (words[row / BITS] >> (row % BITS) as u32) & 1u32 == 1u32;
    if comptime!(coupled) {
        has_moments = true;
    }
    if has_moments {
        // The first used row that is not below this one.
        let bits = rows.div_ceil(BITS);
        let mut low = 0usize;
        let mut high = used;
        while low < high {
            let middle = (low + high) / 2usize;
            if words[bits + middle] < row as u32 {
                low = middle + 1usize;
            } else {
                high = middle;
            }
        }
        let is_used = words[bits + low] == row as u32;
        let scale = factor_of(scale, scale_tensor, on_device);
        #[unroll]
        for piece in 0..comptime!(columns.div_ceil(UNITS as usize)) {
            let column = piece * UNITS as usize + UNIT_POS as usize;
            if column < columns {
                let element = start + column;
                let mut value = 0.0f32;
                if is_used {
                    value = gradient[low * columns + column] * scale;
                }
                let updated = updated(
                    &adam,
                    parameter[element],
                    value,
                    moment_1[element],
                    moment_2[element],
                );
                parameter[element] = updated.0;
                moment_1[element] = updated.1;
                moment_2[element] = updated.2;
            }
        }
    } else if comptime!(decays) {
        // Both moments are zero, so that the step is the decay alone.
        #[unroll]
        for piece in 0..comptime!(columns.div_ceil(UNITS as usize)) {
            let column = piece * UNITS as usize + UNIT_POS as usize;
            if column < columns {
                parameter[start + column] *= adam.decay;
            }
        }
    }
}
