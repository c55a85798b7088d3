//! Integers of a batch in the device's memory, moved there once per batch.

use burn::tensor::{DType, Shape};
use burn_cubecl::{CubeDevice, cubecl::prelude::*, tensor::CubeTensor};
use finetune_batch::DeviceForms;

use crate::{Indices, Offsets};

/// Integers on a device.
#[derive(Clone)]
struct Uploaded {
    values: CubeTensor,
    device: CubeDevice,
}

/// Returns row indices on the device of `like`.
pub(super) fn indices(indices: &Indices, like: &CubeTensor) -> CubeTensor {
    uploaded(indices.forms(), like, || indices.to_vec())
}

/// Returns the bounds of sequences, `[batch + 1]`, on the device of `like`.
pub(super) fn offsets(offsets: &Offsets, like: &CubeTensor) -> CubeTensor {
    uploaded(offsets.forms(), like, || {
        let ends = offsets.ranges().map(|rows| rows.end as u32);
        std::iter::once(0).chain(ends).collect()
    })
}

fn uploaded(forms: &DeviceForms, like: &CubeTensor, make: impl FnOnce() -> Vec<u32>) -> CubeTensor {
    let form = forms.get(
        |form: &Uploaded| form.device == like.device,
        || Uploaded {
            values: upload(&make(), like),
            device: like.device.clone(),
        },
    );
    form.values
}

/// Moves integers to the device of `like`.
pub(super) fn upload(values: &[u32], like: &CubeTensor) -> CubeTensor {
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        Shape::new([values.len()]),
        like.client.create_from_slice(u32::as_bytes(values)),
        DType::U32,
    )
}
