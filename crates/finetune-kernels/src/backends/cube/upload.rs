//! Integers of a batch in the device's memory.

use burn::backend::Cube;
use burn_cubecl::{CubeDevice, tensor::CubeTensor};

use crate::{Offsets, backends::portable::integers};

/// The bounds of sequences on a device.
#[derive(Clone)]
struct Bounds {
    values: CubeTensor,
    device: CubeDevice,
}

/// Returns the bounds of sequences, `[batch + 1]`, on the device of `like`, where they are moved once per batch.
pub(super) fn offsets(offsets: &Offsets, like: &CubeTensor) -> CubeTensor {
    let make = || {
        let ends = offsets.ranges().map(|rows| rows.end as u32);
        let bounds: Vec<u32> = std::iter::once(0).chain(ends).collect();
        Bounds {
            values: upload(&bounds, like),
            device: like.device.clone(),
        }
    };
    let form = offsets
        .forms()
        .get(|form: &Bounds| form.device == like.device, make);
    form.values
}

/// Moves integers to the device of `like`.
pub(super) fn upload(values: &[u32], like: &CubeTensor) -> CubeTensor {
    integers::<Cube>(values.iter().copied(), [values.len()], like)
}
