//! Tensors as the buffers of a kernel, and new ones.

use burn::tensor::{DType, Shape};
use burn_cubecl::{
    cubecl::prelude::*,
    kernel::into_contiguous,
    ops::numeric::{empty_device_contiguous_dtype, zeros_client},
    tensor::CubeTensor,
};

/// Number of units of a cube whose units share a row.
pub(super) const UNITS: u32 = 128;

/// Returns the tensor with its elements in row-major order, without gaps.
pub(super) fn packed(tensor: CubeTensor) -> CubeTensor {
    into_contiguous(tensor)
}

/// Creates a tensor on the device of `like` whose elements are not initialized.
pub(super) fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    of_type(like, shape, like.dtype)
}

/// Creates a tensor of this type on the device of `like` whose elements are not initialized.
pub(super) fn of_type(like: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    empty_device_contiguous_dtype(
        like.client.clone(),
        like.device.clone(),
        shape.into(),
        dtype,
    )
}

/// Creates a tensor of zeros on the device of `like`, of its type.
pub(super) fn zeros(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    zeros_client(
        like.client.clone(),
        like.device.clone(),
        shape.into(),
        like.dtype,
    )
}

/// Returns a kernel's argument for all elements of a [`packed`] tensor.
pub(super) fn buffer(tensor: &CubeTensor) -> BufferArg {
    let length = tensor.meta.num_elements();
    // SAFETY: a packed tensor's buffer holds as many elements as the tensor has.
    unsafe { BufferArg::from_raw_parts(tensor.handle.clone(), length) }
}

/// Returns the rows and columns of a matrix.
pub(super) fn dims(tensor: &CubeTensor) -> [usize; 2] {
    let shape = tensor.meta.shape();
    [shape[0], shape[1]]
}

/// Returns enough cubes of [`UNITS`] units for `count` elements, one for each unit.
pub(super) fn cubes_for(count: usize) -> CubeCount {
    cube_each(count.div_ceil(UNITS as usize))
}

/// Returns a cube for each of `count` rows, in as many dimensions as a device's limits require. A kernel learns
/// its row from `CUBE_POS`, which may be beyond the last.
pub(super) fn cube_each(count: usize) -> CubeCount {
    const MOST: usize = 65_535;
    let y = count.div_ceil(MOST).max(1);
    CubeCount::Static(count.div_ceil(y) as u32, y as u32, 1)
}
