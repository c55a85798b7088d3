//! Multiplication of f32 matrices, in f32 or with operands rounded to bf16.
//!
//! `driver.rs` divides a multiplication into tasks and distributes them over threads. `block.rs`
//! computes a task, tile by tile, from packed operands (`left.rs`, `packed.rs`), and prefetches the
//! next ones (`ahead.rs`). `lanes.rs` multiplies a tile on any processor, and the files of `x86/` on
//! the processors that they are named after. The order in which each element is summed depends on the
//! shapes alone, not on the threads.

mod ahead;
mod block;
mod choice;
mod clock;
mod driver;
mod kernel;
mod lanes;
mod left;
mod pack;
mod packed;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::{Activation, Precision};

pub(crate) use clock::total as total_time;
pub(crate) use driver::multiply_here;
pub(crate) use packed::PackedMatrix;

/// See [`Precision::instruction_set`].
pub(crate) fn instruction_set(precision: Precision) -> &'static str {
    choice::Choice::new(precision).instruction_set()
}

/// See [`Precision::bf16_is_fast`].
#[cfg(target_arch = "x86_64")]
pub(crate) fn bf16_is_fast() -> bool {
    x86::amx::Amx::is_available() || x86::bf16::Avx512Bf16::is_fast()
}

/// A borrowed matrix in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    /// The elements; (r, c) is `data[r · stride + c]`, or `data[c · stride + r]` if transposed.
    pub data: &'a [f32],
    pub rows: usize,
    pub cols: usize,
    pub stride: usize,
    pub transposed: bool,
}

impl<'a> Matrix<'a> {
    /// Creates a row-major matrix without gaps.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// Creates a row-major matrix whose rows start `stride` elements apart.
    pub(crate) fn strided(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        let matrix = Self {
            data,
            rows,
            cols,
            stride,
            transposed: false,
        };
        matrix.check();
        matrix
    }

    /// Returns the transpose, without moving any elements.
    pub(crate) fn transpose(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            transposed: !self.transposed,
            ..self
        }
    }

    /// Returns the memory starting at a part's first element, for kernels that read it through pointers.
    /// The part has `rows` rows from `row` and `cols` columns from `col`, both of them more than 0.
    ///
    /// # Panics
    /// Panics if the part is not completely in memory.
    #[cfg(target_arch = "x86_64")]
    fn part(self, [row, rows]: [usize; 2], [col, cols]: [usize; 2]) -> &'a [f32] {
        let (start, lines, length) = match self.transposed {
            true => (col * self.stride + row, cols, rows),
            false => (row * self.stride + col, rows, cols),
        };
        let memory = &self.data[start..];
        assert!((lines - 1) * self.stride + length <= memory.len());
        memory
    }

    /// Panics if the matrix is not completely in memory, since kernels read it through pointers.
    fn check(&self) {
        let (lines, length) = match self.transposed {
            true => (self.cols, self.rows),
            false => (self.rows, self.cols),
        };
        let end = lines.saturating_sub(1) * self.stride + length;
        assert!(
            lines <= 1 || length <= self.stride,
            "a matrix's rows overlap"
        );
        assert!(
            lines == 0 || end <= self.data.len(),
            "a matrix is larger than its memory"
        );
    }
}

/// The right operand of a multiplication.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Right<'a> {
    /// A matrix that is packed for this multiplication only.
    Plain(Matrix<'a>),
    /// A matrix that was packed in advance.
    Packed(&'a PackedMatrix),
}

impl Right<'_> {
    fn rows(&self) -> usize {
        match self {
            Self::Plain(matrix) => matrix.rows,
            Self::Packed(packed) => packed.rows,
        }
    }

    fn cols(&self) -> usize {
        match self {
            Self::Plain(matrix) => matrix.cols,
            Self::Packed(packed) => packed.cols,
        }
    }
}

/// The processing of the result while it is in the cache.
#[derive(Debug, Default)]
pub(crate) struct Epilogue<'a> {
    /// Whether the result is added to the memory's contents instead of replacing them.
    pub accumulate: bool,
    /// The bias that is added to each row of the result.
    pub bias: Option<&'a [f32]>,
    /// The activation that is applied to each element of the result.
    pub activation: Option<Activation>,
    /// The destination of the activation's results. By default they replace their inputs.
    pub activated: Option<&'a mut [f32]>,
    /// Whether to bypass the caches when writing the result, if possible, because it is large and read
    /// much later.
    pub streamed: bool,
}

/// Computes `out = a · b`, followed by the epilogue. `out` is row-major without gaps.
pub(crate) fn multiply(
    out: &mut [f32],
    a: Matrix<'_>,
    b: Right<'_>,
    epilogue: Epilogue<'_>,
    precision: Precision,
) {
    clock::timed(|| driver::multiply(out, a, b, epilogue, precision));
}
