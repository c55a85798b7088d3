//! The computation of a task: some rows and columns of the result.

use std::ops::Range;

use super::{
    Matrix, Right,
    ahead::Lines,
    kernel::{Kernel, Tile, step_blocks},
    left::LeftOperand,
};
use crate::{Activation, cpu::activation};

/// Number of lines of the right operand that are packed at a time. It must be even.
const LINES: usize = 16;

/// Memory that tasks share. Each of them writes different elements.
#[derive(Clone, Copy)]
pub(super) struct Memory(pub(super) *mut f32);

// SAFETY: who writes through the pointer promises that nobody else does there.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

/// The parameters that all tasks of a multiplication share.
pub(super) struct Block<'a, K: Kernel> {
    pub(super) out: Memory,
    pub(super) stride: usize,
    pub(super) left: LeftOperand<'a, K::Element>,
    pub(super) rows: usize,
    pub(super) right: Right<'a>,
    pub(super) bias: Option<&'a [f32]>,
    pub(super) accumulate: bool,
    /// Whether writing the results may bypass the caches.
    pub(super) streamed: bool,
}

impl<K: Kernel> Block<'_, K> {
    /// # Safety
    /// Nobody else refers to these rows and columns of the result, and the processor is the
    /// kernel's.
    pub(super) unsafe fn run(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        buffer: &mut [K::Element],
    ) {
        let right_panel = K::NR * K::KC;
        K::begin();
        for (index, steps) in step_blocks::<K>(self.right.rows()).enumerate() {
            let mut next = self.next(&cols, steps.end);
            if let Right::Plain(b) = self.right {
                pack_right::<K>(buffer, b, cols.clone(), steps.clone());
            }
            for row in rows.clone().step_by(K::MR) {
                let left = self.left.panel(row, row / K::MR, index, steps.start);
                for (panel, col) in cols.clone().step_by(K::NR).enumerate() {
                    let right = match self.right {
                        Right::Plain(_) => &buffer[panel * right_panel..][..right_panel],
                        Right::Packed(packed) => packed.panel::<K>(col / K::NR, steps.start),
                    };
                    let width = (cols.end - col).min(K::NR);
                    let bias = self.bias.filter(|_| index == 0);
                    // SAFETY: inside the result by the caller's checks; nobody else is there by
                    // its promise.
                    unsafe {
                        let tile = Tile {
                            start: self.out.0.add(row * self.stride + col),
                            stride: self.stride,
                            rows: (rows.end.min(self.rows) - row).min(K::MR),
                            cols: width,
                            bias: bias.map(|bias| &bias[col..col + width]),
                            accumulate: self.accumulate || index > 0,
                            ahead: next.take(steps.len()),
                            streamed: self.streamed,
                        };
                        K::multiply(left, right, steps.len(), &tile);
                    }
                }
            }
        }
        K::end();
        if self.streamed {
            // This must happen before another thread learns that the results are complete.
            K::finish_streaming();
        }
    }

    /// Guesses what is packed after the steps before `end`: more steps of these columns, or the first
    /// steps of as many other columns.
    fn next(&self, cols: &Range<usize>, end: usize) -> Lines {
        let Right::Plain(b) = self.right else {
            return Lines::new(Matrix::new(&[], 0, 0), 0..0, 0..0);
        };
        let (steps, cols) = match end < b.rows {
            true => (end..b.rows, cols.clone()),
            false => (0..b.rows, cols.end..(cols.end + cols.len()).min(b.cols)),
        };
        let steps = steps.start..steps.end.min(steps.start + K::KC);
        Lines::new(b, steps, cols)
    }
}

/// The processing of a block of sums.
pub(super) struct BlockEpilogue {
    pub(super) out: Memory,
    pub(super) stride: usize,
    pub(super) activation: Option<Activation>,
    pub(super) activated: Option<Memory>,
}

impl BlockEpilogue {
    /// # Safety
    /// Nobody else refers to these rows and columns of the result.
    pub(super) unsafe fn run(&self, rows: Range<usize>, cols: Range<usize>) {
        let Some(function) = self.activation else {
            return;
        };
        for row in rows {
            let part = |memory: Memory| {
                let start = row * self.stride + cols.start;
                // SAFETY: inside the result; nobody else is there by the caller's promise.
                unsafe { std::slice::from_raw_parts_mut(memory.0.add(start), cols.len()) }
            };
            let sums = part(self.out);
            match self.activated {
                Some(target) => activation::apply_to(function, sums, part(target)),
                None => activation::apply(function, sums),
            }
        }
    }
}

/// Packs a group of columns of a block of steps, panel after panel. If columns are adjacent in memory,
/// this processes a few lines at a time, so that each is read once from beginning to end.
fn pack_right<K: Kernel>(
    buffer: &mut [K::Element],
    b: Matrix<'_>,
    cols: Range<usize>,
    steps: Range<usize>,
) {
    let lines = if b.transposed {
        K::KC
    } else {
        LINES.max(K::PAD)
    };
    for step in steps.clone().step_by(lines) {
        let count = (steps.end - step).min(lines);
        let panels = buffer.chunks_exact_mut(K::NR * K::KC);
        for (col, panel) in cols.clone().step_by(K::NR).zip(panels) {
            let width = (cols.end - col).min(K::NR);
            let target = &mut panel[(step - steps.start) * K::NR..];
            K::pack_right(target, b, col, width, step, count);
        }
    }
}
