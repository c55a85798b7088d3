//! The bounds of a batch's sequences and the blocks that the kernels' cubes handle, on the device.

use burn::backend::{Cube, TensorMetadata, tensor::IntTensor};
use burn_cubecl::{
    CubeDevice,
    cubecl::{self, prelude::*},
    tensor::CubeTensor,
};

use super::tiles::Tiling;
use crate::{Offsets, backends::portable::integers, ops::AttentionShape};

/// The device form of an [`AttentionShape`], which all layers and both passes share.
#[derive(Clone)]
pub(super) struct Layout {
    /// The `sequences + 1` bounds of the queries and those of the keys, then the blocks of queries and those of
    /// keys: for each, its sequence and the position in it.
    pub(super) numbers: IntTensor<Cube>,
    pub(super) sequences: usize,
    pub(super) query_blocks: usize,
    pub(super) key_blocks: usize,
    /// Number of rows of a block.
    rows: usize,
    keys: Offsets,
    device: CubeDevice,
}

impl Layout {
    /// Returns the layout in blocks of this number of rows for the device of `like`, which is created once per
    /// batch.
    pub(super) fn of(shape: &AttentionShape, rows: usize, like: &CubeTensor) -> Self {
        let device = like.device();
        let is_wanted =
            |form: &Self| form.rows == rows && form.device == device && form.keys == shape.keys;
        let make = || Self::new(shape, rows, like);
        shape.queries.forms().get(is_wanted, make)
    }

    fn new(shape: &AttentionShape, rows: usize, like: &CubeTensor) -> Self {
        let (queries, keys) = (blocks(&shape.queries, rows), blocks(&shape.keys, rows));
        let offsets = [&shape.queries, &shape.keys];
        let bounds = offsets.into_iter().flat_map(bounds);
        let blocks = queries.iter().chain(&keys).flatten().copied();
        let numbers: Vec<u32> = bounds.chain(blocks).collect();
        let length = numbers.len();
        Self {
            numbers: integers::<Cube>(numbers.into_iter(), [length], like),
            sequences: shape.queries.batch_size(),
            query_blocks: queries.len(),
            key_blocks: keys.len(),
            rows,
            // The same offsets would own themselves.
            keys: Offsets::from_lengths(shape.keys.ranges().map(|range| range.len() as u32)),
            device: like.device(),
        }
    }
}

fn bounds(offsets: &Offsets) -> impl Iterator<Item = u32> + '_ {
    let last = offsets.num_tokens() as u32;
    offsets.first_rows().iter().copied().chain([last])
}

/// Divides each sequence into blocks of `rows` rows, the last of which may have fewer.
fn blocks(offsets: &Offsets, rows: usize) -> Vec<[u32; 2]> {
    let sequences = offsets.ranges().enumerate();
    let blocks = sequences.flat_map(|(sequence, range)| {
        let positions = (0..range.len()).step_by(rows);
        positions.map(move |position| [sequence as u32, position as u32])
    });
    blocks.collect()
}

/// One head of a block of queries or of keys, and the keys or queries of its sequence.
#[derive(CubeType, Clone, Copy)]
pub(super) struct Task {
    pub(super) head: usize,
    /// The block's first row.
    pub(super) first: usize,
    /// Number of rows of the block.
    pub(super) count: usize,
    /// Position of the first row in the sequence.
    pub(super) position: usize,
    /// First row of the sequence on the other side.
    pub(super) other: usize,
    /// Number of rows of the sequence on the other side.
    pub(super) others: usize,
}

/// Returns the block of queries of this cube.
#[cube]
pub(super) fn query_task(layout: &[u32], sequences: usize, #[comptime] tiling: Tiling) -> Task {
    let bounds = sequences + 1;
    task(layout, 0usize, bounds, 2 * bounds, tiling)
}

/// Returns the block of keys of this cube.
#[cube]
pub(super) fn key_task(
    layout: &[u32],
    sequences: usize,
    query_blocks: usize,
    #[comptime] tiling: Tiling,
) -> Task {
    let bounds = sequences + 1;
    task(layout, bounds, 0usize, 2 * (bounds + query_blocks), tiling)
}

#[cube]
fn task(
    layout: &[u32],
    own: usize,
    other: usize,
    blocks: usize,
    #[comptime] tiling: Tiling,
) -> Task {
    let rows = comptime!(tiling.rows);
    let heads = comptime!(tiling.heads);
    let cube = CUBE_POS as usize;
    let block = blocks + 2 * (cube / heads);
    let sequence = layout[block] as usize;
    let position = layout[block + 1] as usize;
    let first = layout[own + sequence] as usize + position;
    let end = layout[own + sequence + 1] as usize;
    let other_first = layout[other + sequence] as usize;
    let other_end = layout[other + sequence + 1] as usize;
    Task {
        head: cube % heads,
        first,
        count: clamp_max(end - first, rows),
        position,
        other: other_first,
        others: other_end - other_first,
    }
}
