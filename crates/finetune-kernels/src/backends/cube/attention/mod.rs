//! Attention over offsets, without probabilities in memory: the forward pass keeps the logarithm of the sum of the
//! exponentials of each query's scores, from which the backward pass computes the probabilities again.
//!
//! - `layout.rs`: the bounds of the sequences and the blocks of the cubes, uploaded once per batch
//! - `tiles.rs`: tiles in shared memory and their products
//! - `forward.rs`, `backward.rs`: the kernels

mod backward;
mod forward;
mod layout;
mod tiles;

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn_cubecl::{cubecl::prelude::*, tensor::CubeTensor};

use super::{
    buffers::{buffer, cube_each, empty, packed},
    philox::site,
};
use crate::{
    backends::portable,
    ops::{Attention, AttentionBackward},
};
use layout::Layout;
use tiles::Tiling;

/// See [`EncoderOps::attention`](crate::ops::EncoderOps::attention).
pub(super) fn attention(operation: Attention<Cube>) -> FloatTensor<Cube> {
    match tiling(&operation) {
        Some(tiling) => Fused::new(operation, tiling).result(false).0,
        None => portable::attention(operation),
    }
}

/// Returns the tiling for these operands, if they have one: head sizes that are no multiple of 4, or too large for
/// the device's shared memory, have none.
fn tiling(operation: &Attention<Cube>) -> Option<Tiling> {
    let heads = operation.shape.heads;
    let head_size = operation.query.shape()[1] / heads;
    let hardware = &operation.query.client.properties().hardware;
    Tiling::new(head_size, heads, hardware.max_shared_memory_size)
}

/// The values that attention keeps.
#[derive(Clone, Debug)]
pub enum AttentionKept {
    /// Those of the kernels.
    Fused(Box<FusedKept>),
    /// Those of the portable implementation.
    Portable(portable::AttentionKept<Cube>),
}

/// The values that the kernels keep.
#[derive(Clone, Debug)]
pub struct FusedKept {
    operands: Fused,
    /// `[queries, heads · d]`
    result: CubeTensor,
    /// The logarithm of the sum of the exponentials of the scores, `[queries, heads]`.
    log_sums: CubeTensor,
}

impl AttentionBackward<Cube> for AttentionKept {
    fn attention(operation: Attention<Cube>) -> (FloatTensor<Cube>, Self) {
        let Some(tiling) = tiling(&operation) else {
            let (result, kept) = portable::AttentionKept::attention(operation);
            return (result, Self::Portable(kept));
        };
        let operands = Fused::new(operation, tiling);
        let (result, log_sums) = operands.result(true);
        let kept = FusedKept {
            operands,
            result: result.clone(),
            log_sums,
        };
        (result, Self::Fused(Box::new(kept)))
    }

    fn gradients(
        self,
        grad: FloatTensor<Cube>,
        wanted: [bool; 3],
    ) -> [Option<FloatTensor<Cube>>; 3] {
        match self {
            Self::Fused(kept) => kept.gradients(packed(grad), wanted),
            Self::Portable(kept) => kept.gradients(grad, wanted),
        }
    }
}

/// The operands of the kernels.
#[derive(Clone, Debug)]
struct Fused {
    /// With packed tensors.
    operation: Attention<Cube>,
    tiling: Tiling,
}

impl Fused {
    fn new(operation: Attention<Cube>, tiling: Tiling) -> Self {
        let operation = Attention {
            query: packed(operation.query),
            key: packed(operation.key),
            value: packed(operation.value),
            ..operation
        };
        Self { operation, tiling }
    }

    fn layout(&self) -> Layout {
        let Attention { query, shape, .. } = &self.operation;
        Layout::of(shape, self.tiling.rows, query)
    }

    /// Returns the number of cubes for this number of blocks, and that of their units.
    fn cubes(&self, blocks: usize) -> (CubeCount, CubeDim) {
        let count = cube_each(blocks * self.tiling.heads);
        (count, CubeDim::new_1d(self.tiling.units() as u32))
    }

    /// Returns the factor of the scores, `1 / √d`.
    fn scale(&self) -> f32 {
        ((4 * self.tiling.depth) as f32).sqrt().recip()
    }

    /// Computes the result and, if they are kept, the logarithms of the sums (otherwise, they have no meaning).
    fn result(&self, keep: bool) -> (CubeTensor, CubeTensor) {
        let Attention {
            query,
            key,
            value,
            dropout,
            ..
        } = &self.operation;
        let queries = query.shape()[0];
        let result = empty(query, query.shape());
        let log_sums = empty(query, [if keep { queries } else { 1 }, self.tiling.heads]);
        let layout = self.layout();
        if layout.query_blocks > 0 {
            let (count, units) = self.cubes(layout.query_blocks);
            // SAFETY: the kernel's accesses are within the rows of the sequences, which are the buffers', and
            // within heads and head size, whose product is their width.
            unsafe {
                forward::attention_kernel::launch_unchecked(
                    &query.client,
                    count,
                    units,
                    fours(query),
                    fours(key),
                    fours(value),
                    buffer(&layout.numbers),
                    fours(&result),
                    buffer(&log_sums),
                    site(dropout),
                    self.scale(),
                    layout.sequences,
                    layout.query_blocks,
                    self.tiling,
                    !dropout.is_none(),
                    keep,
                );
            }
        }
        (result, log_sums)
    }
}

impl FusedKept {
    fn gradients(&self, grad: CubeTensor, wanted: [bool; 3]) -> [Option<CubeTensor>; 3] {
        let layout = self.operands.layout();
        let (query, row_sums) = self.query_gradient(&grad, &layout);
        let [key, value] = match wanted[1] || wanted[2] {
            true => self
                .key_value_gradients(&grad, &row_sums, &layout)
                .map(Some),
            false => [None, None],
        };
        let mut wanted = wanted.into_iter();
        [Some(query), key, value].map(|x| x.filter(|_| wanted.next() == Some(true)))
    }

    /// Computes the gradient of the queries, and the numbers per query and head from which those of the keys and
    /// values follow.
    fn query_gradient(&self, grad: &CubeTensor, layout: &Layout) -> (CubeTensor, CubeTensor) {
        let Fused { operation, tiling } = &self.operands;
        let Attention {
            query,
            key,
            value,
            dropout,
            ..
        } = operation;
        let gradient = empty(query, query.shape());
        let row_sums = empty(query, [query.shape()[0], 2 * tiling.heads]);
        if layout.query_blocks > 0 {
            let (count, units) = self.operands.cubes(layout.query_blocks);
            // SAFETY: as in the forward pass; the gradient has the result's shape.
            unsafe {
                backward::query_gradient_kernel::launch_unchecked(
                    &query.client,
                    count,
                    units,
                    fours(query),
                    fours(key),
                    fours(value),
                    fours(grad),
                    fours(&self.result),
                    buffer(&self.log_sums),
                    buffer(&layout.numbers),
                    fours(&gradient),
                    buffer(&row_sums),
                    site(dropout),
                    self.operands.scale(),
                    layout.sequences,
                    layout.query_blocks,
                    *tiling,
                    !dropout.is_none(),
                );
            }
        }
        (gradient, row_sums)
    }

    fn key_value_gradients(
        &self,
        grad: &CubeTensor,
        row_sums: &CubeTensor,
        layout: &Layout,
    ) -> [CubeTensor; 2] {
        let Fused { operation, tiling } = &self.operands;
        let Attention {
            query,
            key,
            value,
            dropout,
            ..
        } = operation;
        let gradients = [empty(key, key.shape()), empty(key, key.shape())];
        if layout.key_blocks > 0 {
            let (count, units) = self.operands.cubes(layout.key_blocks);
            // SAFETY: as in the forward pass; the gradient has the result's shape.
            unsafe {
                backward::key_value_gradient_kernel::launch_unchecked(
                    &query.client,
                    count,
                    units,
                    fours(query),
                    fours(key),
                    fours(value),
                    fours(grad),
                    buffer(row_sums),
                    buffer(&layout.numbers),
                    fours(&gradients[0]),
                    fours(&gradients[1]),
                    site(dropout),
                    self.operands.scale(),
                    layout.sequences,
                    layout.query_blocks,
                    layout.key_blocks,
                    *tiling,
                    !dropout.is_none(),
                );
            }
        }
        gradients
    }
}

/// Returns a kernel's argument for all elements of a packed tensor, in vectors of four.
fn fours(tensor: &CubeTensor) -> BufferArg {
    let length = tensor.meta.num_elements() / 4;
    // SAFETY: a packed tensor's buffer holds as many elements as the tensor has.
    unsafe { BufferArg::from_raw_parts(tensor.handle.clone(), length) }
}
