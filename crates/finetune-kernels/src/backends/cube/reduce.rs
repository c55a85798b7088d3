//! Sums over the units of a cube, in an order that depends on the number of units alone.

use burn_cubecl::cubecl::{self, prelude::*};

/// Returns the sum of `value` over all `units` units (a power of two) of the cube, to each of them. All units
/// of the cube must call it.
#[cube]
pub(super) fn cube_sum(value: f32, #[comptime] units: u32) -> f32 {
    let mut values = Shared::<[f32]>::new_slice(units as usize);
    values[UNIT_POS as usize] = value;
    sync_cube();
    let steps = comptime!(units.ilog2());
    #[unroll]
    for step in 0..steps {
        let half = comptime!(units >> (step + 1));
        if UNIT_POS < half {
            let other = values[(UNIT_POS + half) as usize];
            values[UNIT_POS as usize] += other;
        }
        sync_cube();
    }
    let sum = values[0];
    // The next sum may be in the same memory.
    sync_cube();
    sum
}
