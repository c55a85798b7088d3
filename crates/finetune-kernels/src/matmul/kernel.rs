//! What a processor brings to a product: how operands are packed, and one tile.

use super::Matrix;

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

    /// The memory of a matrix that is as [`pack_left`](Self::pack_left) would make it, panel after
    /// panel.
    fn packed_left(_: Matrix<'_>) -> Option<&[Self::Element]> {
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

    /// Writes `left · right` of two panels into a tile of memory, or adds it.
    ///
    /// # Safety
    /// `tile` must be writable, by nobody else, for its rows and columns, the processor must be one
    /// that the kernel is for, and this thread must be between `begin` and `end`.
    unsafe fn multiply(
        left: &[Self::Element],
        is_transposed: bool,
        right: &[Self::Element],
        steps: usize,
        tile: Tile,
    );

    /// Called before the first tile of a part of a product on this thread.
    fn begin() {}

    /// Called after the last tile of a part of a product on this thread.
    fn end() {}

    /// Orders this thread's writes past the caches before what it writes next.
    fn finish_streaming() {}
}

/// Where a tile's results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile {
    pub(crate) start: *mut f32,
    /// Numbers from one row to the next.
    pub(crate) stride: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// Whether to add to what is there.
    pub(crate) accumulate: bool,
    /// Whether what is written may go past the caches; not with `accumulate`.
    pub(crate) streamed: bool,
}

impl Tile {
    /// Whether each row starts with a cache line.
    pub(super) fn is_aligned(&self) -> bool {
        let line = 64;
        self.start.addr().is_multiple_of(line)
            && (self.stride * size_of::<f32>()).is_multiple_of(line)
    }
}
