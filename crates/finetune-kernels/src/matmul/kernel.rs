//! What a processor contributes: how operands are packed, and how one tile is multiplied.

use std::ops::Range;

use super::{Matrix, ahead::Ahead};

/// A way to multiply tiles. `MR` rows of the left operand and `NR` columns of the right one are packed
/// into panels of at most `KC` steps of the inner dimension.
pub(crate) trait Kernel: 'static {
    /// The type of packed elements.
    type Element: bytemuck::Pod + Send + Sync;
    /// Rows in a tile.
    const MR: usize;
    /// Columns in a tile.
    const NR: usize;
    /// Steps of the inner dimension that are packed at a time. Must be even.
    const KC: usize;
    /// A packed right panel has a multiple of so many steps. Missing ones are zeros.
    const PAD: usize;

    /// Packs `rows <= MR` rows from `row` on and `steps <= KC` columns from `step` on. A matrix in
    /// row order becomes `[rows][KC]`; a transposed one is left as it is, `[KC][MR]`, where the kernel
    /// can read that (in bf16 with pairs of steps side by side).
    fn pack_left(
        panel: &mut [Self::Element],
        a: Matrix<'_>,
        row: usize,
        rows: usize,
        step: usize,
        steps: usize,
    );

    /// The memory of a matrix in row order whose rows the kernel can read in place.
    fn left_in_place(_: Matrix<'_>) -> Option<&[Self::Element]> {
        None
    }

    /// Packs `cols <= NR` columns from `col` on and `steps <= KC` rows from `step` on into
    /// `[KC][NR]` (in bf16 with pairs of steps side by side). Missing columns are zeros.
    fn pack_right(
        panel: &mut [Self::Element],
        b: Matrix<'_>,
        col: usize,
        cols: usize,
        step: usize,
        steps: usize,
    );

    /// Writes `bias + left · right` of two panels into a tile of memory, or adds it to the tile.
    ///
    /// # Safety
    /// `tile` must be writable for its rows and columns, by nobody else; the processor must be one that
    /// the kernel is for; and this thread must be between `begin` and `end`.
    unsafe fn multiply(
        left: Left<'_, Self::Element>,
        right: &[Self::Element],
        steps: usize,
        tile: &Tile<'_>,
    );

    /// Called before the first tile of a task on this thread.
    fn begin() {}

    /// Called after the last tile of a task on this thread.
    fn end() {}

    /// Orders this thread's writes past the caches before what it writes next.
    fn finish_streaming() {}
}

/// Some rows of the left operand, and some of their steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left<'a, E> {
    /// The elements from the first one on.
    pub(crate) elements: &'a [E],
    /// Elements from row to row, or from step to step if transposed.
    pub(crate) stride: usize,
    pub(crate) transposed: bool,
}

impl<E> Left<'_, E> {
    /// Elements from row to row, and from step to step.
    pub(super) fn strides(&self) -> (usize, usize) {
        match self.transposed {
            true => (1, self.stride),
            false => (self.stride, 1),
        }
    }

    /// Whether so many rows of so many steps are in memory.
    pub(super) fn holds(&self, rows: usize, steps: usize) -> bool {
        let (from_row, from_step) = self.strides();
        self.elements.len() > (rows - 1) * from_row + steps.saturating_sub(1) * from_step
    }
}

/// Where the results of a tile go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile<'a> {
    pub(crate) start: *mut f32,
    /// Elements from one row to the next.
    pub(crate) stride: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// What the sums of each column start with instead of 0.
    pub(crate) bias: Option<&'a [f32]>,
    /// Whether to add to what the memory holds.
    pub(crate) accumulate: bool,
    /// What a kernel may prefetch meanwhile.
    pub(crate) ahead: Ahead,
    /// Whether writes may go past the caches. Not combined with `accumulate`.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code))]
    pub(crate) streamed: bool,
}

impl Tile<'_> {
    /// Whether the tile is at most so large, and has a bias for all of its columns if for any.
    pub(super) fn is_within(&self, rows: usize, cols: usize) -> bool {
        let is_small = (1..=rows).contains(&self.rows) && self.cols <= cols;
        is_small && self.bias.is_none_or(|bias| bias.len() == self.cols)
    }

    /// Whether each row starts at the start of a cache line.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn is_aligned(&self) -> bool {
        let line = 64;
        self.start.addr().is_multiple_of(line)
            && (self.stride * size_of::<f32>()).is_multiple_of(line)
    }
}

/// The blocks of steps of the inner dimension, of nearly equal lengths.
pub(super) fn step_blocks<K: Kernel>(steps: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = steps.div_ceil(K::KC).max(1);
    let length = steps.div_ceil(count).next_multiple_of(32).min(K::KC);
    (0..steps.div_ceil(length.max(1)))
        .map(move |block| block * length..(block * length + length).min(steps))
}
