//! Prefetches what a task packs next while it multiplies: packing is bound by memory, which multiplying
//! hardly uses.

use std::ops::Range;

use super::Matrix;

/// Number of steps of a tile per prefetched line.
const STEPS: usize = 8;
/// Number of elements in a cache line.
const LINE: usize = 16;

/// The lines that a tile prefetches, one after every [`STEPS`] of its steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead {
    start: *const f32,
    /// Distance in elements between lines.
    stride: usize,
}

impl Ahead {
    /// A line that is always in memory.
    const NOTHING: Self = Self {
        start: [0.0; LINE].as_ptr(),
        stride: 0,
    };

    /// Returns the line that belongs to a step. It may be outside the matrix and must not be read.
    #[inline(always)]
    pub(super) fn line(&self, step: usize) -> *const f32 {
        self.start.wrapping_add(step / STEPS * self.stride)
    }
}

/// The lines of a part of a matrix, column after column.
pub(super) struct Lines {
    start: *const f32,
    stride: usize,
    count: usize,
    /// Number of elements in a line of the matrix.
    length: usize,
    /// The next line, and the next element in it.
    line: usize,
    element: usize,
}

impl Lines {
    /// Creates the lines of some rows and columns, possibly none.
    pub(super) fn new(matrix: Matrix<'_>, rows: Range<usize>, cols: Range<usize>) -> Self {
        let (lines, elements) = match matrix.transposed {
            true => (cols, rows),
            false => (rows, cols),
        };
        let start = lines.start * matrix.stride + elements.start;
        Self {
            start: matrix.data.as_ptr().wrapping_add(start),
            stride: matrix.stride,
            count: lines.len(),
            length: if lines.is_empty() { 0 } else { elements.len() },
            line: 0,
            element: 0,
        }
    }

    /// Takes the lines for a tile with this number of steps.
    pub(super) fn take(&mut self, steps: usize) -> Ahead {
        if self.element >= self.length {
            return Ahead::NOTHING;
        }
        let offset = self.line * self.stride + self.element;
        self.line += steps.div_ceil(STEPS);
        if self.line >= self.count {
            (self.line, self.element) = (0, self.element + LINE);
        }
        Ahead {
            start: self.start.wrapping_add(offset),
            stride: self.stride,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_take_every_line_of_the_part_and_no_other() {
        let (rows, cols, stride) = (100, 90, 100);
        let data = vec![0.0; rows * stride];
        let matrix = Matrix::strided(&data, rows, cols, stride);
        let part = (10..60, 16..64);
        for matrix in [matrix, matrix.transpose()] {
            let (rows, cols) = match matrix.transposed {
                true => (part.1.clone(), part.0.clone()),
                false => part.clone(),
            };
            let steps = 20 * STEPS;
            let mut lines = Lines::new(matrix, rows, cols);
            let mut found = Vec::new();
            for _ in 0..3 * 3 {
                let ahead = lines.take(steps);
                let taken = (0..steps)
                    .step_by(STEPS)
                    .map(|step| ahead.line(step).addr());
                found.extend(taken.map(|address| (address - data.as_ptr().addr()) / 4));
            }
            // Fifty lines are fewer than three times twenty: those beyond the last are fetched in vain.
            found.retain(|element| element / stride < 60);
            found.sort_unstable();
            let of_line = |line| {
                (16..64)
                    .step_by(LINE)
                    .map(move |element| line * stride + element)
            };
            assert_eq!(found, (10..60).flat_map(of_line).collect::<Vec<_>>());
            assert_eq!(lines.take(steps).stride, 0);
        }
    }

    #[test]
    fn nothing_is_taken_of_nothing() {
        let lines = Lines::new(Matrix::new(&[], 0, 0), 0..0, 0..0).take(8);
        assert_eq!(lines.stride, 0);
    }
}
