//! What a processor brings to a product: how operands are packed, and one tile.

use std::ops::Range;

use super::{Matrix, ahead::Ahead};

/// A way to multiply tiles. `MR` rows of the left operand and `NR` columns of the right one are
/// packed into panels of `KC` steps of the inner dimension at most.
pub(crate) trait Kernel: 'static {
    /// What packed operands are made of.
    type Element: bytemuck::Pod + Send + Sync;
    /// Rows of a tile.
    const MR: usize;
    /// Columns of a tile.
    const NR: usize;
    /// Steps of the inner dimension that are packed at a time; even.
    const KC: usize;
    /// A packed right panel has a multiple of so many steps; missing ones are zeros.
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

    /// The memory of a matrix in row order whose rows the kernel can read where they are.
    fn left_in_place(_: Matrix<'_>) -> Option<&[Self::Element]> {
        None
    }

    /// Packs `cols <= NR` columns from `col` on and `steps <= KC` rows from `step` on into
    /// `[KC][NR]` (in bf16 with pairs of steps side by side); missing columns are zeros.
    fn pack_right(
        panel: &mut [Self::Element],
        b: Matrix<'_>,
        col: usize,
        cols: usize,
        step: usize,
        steps: usize,
    );

    /// Writes `bias + left · right` of two panels into a tile of memory, or adds it.
    ///
    /// # Safety
    /// `tile` must be writable, by nobody else, for its rows and columns, the processor must be one
    /// that the kernel is for, and this thread must be between `begin` and `end`.
    unsafe fn multiply(
        left: Left<'_, Self::Element>,
        right: &[Self::Element],
        steps: usize,
        tile: &Tile<'_>,
    );

    /// Called before the first tile of a part of a product on this thread.
    fn begin() {}

    /// Called after the last tile of a part of a product on this thread.
    fn end() {}

    /// Orders this thread's writes past the caches before what it writes next.
    fn finish_streaming() {}
}

/// Some rows of the left operand, and some of their steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left<'a, E> {
    /// From the first number on.
    pub(crate) numbers: &'a [E],
    /// From row to row; transposed, from step to step.
    pub(crate) stride: usize,
    pub(crate) transposed: bool,
}

impl<E> Left<'_, E> {
    /// From row to row, and from step to step.
    pub(super) fn strides(&self) -> (usize, usize) {
        match self.transposed {
            true => (1, self.stride),
            false => (self.stride, 1),
        }
    }

    /// Whether so many rows of so many steps are there.
    pub(super) fn holds(&self, rows: usize, steps: usize) -> bool {
        let (from_row, from_step) = self.strides();
        self.numbers.len() > (rows - 1) * from_row + steps.saturating_sub(1) * from_step
    }
}

/// Where a tile's results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile<'a> {
    pub(crate) start: *mut f32,
    /// Numbers from one row to the next.
    pub(crate) stride: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// What the sums of each column start with, instead of 0.
    pub(crate) bias: Option<&'a [f32]>,
    /// Whether to add to what is there.
    pub(crate) accumulate: bool,
    /// What a kernel may fetch meanwhile.
    pub(crate) ahead: Ahead,
    /// Whether what is written may go past the caches; not with `accumulate`.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code))]
    pub(crate) streamed: bool,
}

impl Tile<'_> {
    /// Whether it is at most so large, and has a bias for all of its columns if any.
    pub(super) fn is_within(&self, rows: usize, cols: usize) -> bool {
        let is_small = (1..=rows).contains(&self.rows) && self.cols <= cols;
        is_small && self.bias.is_none_or(|bias| bias.len() == self.cols)
    }

    /// Whether each row starts with a cache line.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn is_aligned(&self) -> bool {
        let line = 64;
        self.start.addr().is_multiple_of(line)
            && (self.stride * size_of::<f32>()).is_multiple_of(line)
    }
}

/// Steps of the inner dimension that are taken at a time, of nearly equal lengths.
pub(super) fn step_blocks<K: Kernel>(steps: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = steps.div_ceil(K::KC).max(1);
    let length = steps.div_ceil(count).next_multiple_of(32).min(K::KC);
    (0..steps.div_ceil(length.max(1)))
        .map(move |block| block * length..(block * length + length).min(steps))
}
