//! The processor-specific part: packing of operands and multiplication of a tile.

use std::ops::Range;

use super::{Matrix, ahead::Ahead};

/// An implementation of packing and of tile multiplication. `MR` rows of the left operand and `NR`
/// columns of the right one are packed into panels of at most `KC` steps of the inner dimension.
pub(crate) trait Kernel: 'static {
    /// The type of packed elements.
    type Element: bytemuck::Pod + Send + Sync;
    /// Number of rows in a tile.
    const MR: usize;
    /// Number of columns in a tile.
    const NR: usize;
    /// Number of steps of the inner dimension that are packed at a time. It must be even.
    const KC: usize;
    /// The number of steps in a packed right panel is a multiple of this. Missing steps are zeros.
    const PAD: usize;

    /// Packs `rows <= MR` rows starting at `row` and `steps <= KC` columns starting at `step`. A
    /// row-major matrix becomes `[rows][KC]`; a transposed one stays `[KC][MR]` if the kernel can read
    /// that (in bf16 with pairs of adjacent steps).
    fn pack_left(
        panel: &mut [Self::Element],
        a: Matrix<'_>,
        row: usize,
        rows: usize,
        step: usize,
        steps: usize,
    );

    /// Returns the memory of a row-major matrix if the kernel can read its rows in place.
    fn left_in_place(_: Matrix<'_>) -> Option<&[Self::Element]> {
        None
    }

    /// Packs `cols <= NR` columns starting at `col` and `steps <= KC` rows starting at `step` into
    /// `[KC][NR]` (in bf16 with pairs of adjacent steps). Missing columns are zeros.
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
    /// `tile` must be writable for its rows and columns, and by this thread alone; the processor must
    /// support the kernel; and this thread must be between `begin` and `end`.
    unsafe fn multiply(
        left: Left<'_, Self::Element>,
        right: &[Self::Element],
        steps: usize,
        tile: &Tile<'_>,
    );

    /// Prepares this thread; called before the first tile of a task.
    fn begin() {}

    /// Undoes `begin`; called after the last tile of a task.
    fn end() {}

    /// Orders this thread's non-temporal writes before its subsequent writes.
    fn finish_streaming() {}
}

/// Some steps of some rows of the left operand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left<'a, E> {
    /// The elements, starting at the first.
    pub(crate) elements: &'a [E],
    /// Distance in elements between rows, or between steps if transposed.
    pub(crate) stride: usize,
    pub(crate) transposed: bool,
}

impl<E> Left<'_, E> {
    /// Returns the distances in elements between rows and between steps.
    pub(super) fn strides(&self) -> (usize, usize) {
        match self.transposed {
            true => (1, self.stride),
            false => (self.stride, 1),
        }
    }

    /// Returns whether `rows` rows of `steps` steps are in memory.
    pub(super) fn holds(&self, rows: usize, steps: usize) -> bool {
        let (from_row, from_step) = self.strides();
        self.elements.len() > (rows - 1) * from_row + steps.saturating_sub(1) * from_step
    }
}

/// The destination of a tile's results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile<'a> {
    pub(crate) start: *mut f32,
    /// Distance in elements between rows.
    pub(crate) stride: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// The initial value of each column's sums, instead of 0.
    pub(crate) bias: Option<&'a [f32]>,
    /// Whether to add to the memory's contents.
    pub(crate) accumulate: bool,
    /// The lines that a kernel may prefetch meanwhile.
    pub(crate) ahead: Ahead,
    /// Whether writes may bypass the caches. Not combined with `accumulate`.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code))]
    pub(crate) streamed: bool,
}

impl Tile<'_> {
    /// Returns whether the tile has at most this size, and a bias for all of its columns if it has one.
    pub(super) fn is_within(&self, rows: usize, cols: usize) -> bool {
        let is_small = (1..=rows).contains(&self.rows) && self.cols <= cols;
        is_small && self.bias.is_none_or(|bias| bias.len() == self.cols)
    }

    /// Returns whether each row starts at a cache line.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn is_aligned(&self) -> bool {
        let line = 64;
        self.start.addr().is_multiple_of(line)
            && (self.stride * size_of::<f32>()).is_multiple_of(line)
    }
}

/// Divides the steps of the inner dimension into blocks of nearly equal lengths.
pub(super) fn step_blocks<K: Kernel>(steps: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = steps.div_ceil(K::KC).max(1);
    let length = steps.div_ceil(count).next_multiple_of(32).min(K::KC);
    (0..steps.div_ceil(length.max(1)))
        .map(move |block| block * length..(block * length + length).min(steps))
}
