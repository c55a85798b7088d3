//! Matrix products of f32 matrices, in f32 or with operands rounded to bf16.
//!
//! `driver.rs` cuts a product into tasks and shares them among threads, `block.rs` computes one, tile
//! by tile, from packed operands (`left.rs`, `packed.rs`) and fetches what comes next (`ahead.rs`);
//! `avx512.rs`, `bf16.rs`, `amx.rs` and `lanes.rs` multiply one tile on the processors that they are named
//! for. Each element's sum has an order that depends on the shapes alone, not on the threads.

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

/// See [`Precision::bf16_is_fast`].
#[cfg(target_arch = "x86_64")]
pub(crate) fn bf16_is_fast() -> bool {
    x86::amx::Amx::is_available() || x86::bf16::Avx512Bf16::is_fast()
}

/// A matrix in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    /// Element (r, c) is `data[r · stride + c]`, or `data[c · stride + r]` if transposed.
    pub data: &'a [f32],
    pub rows: usize,
    pub cols: usize,
    pub stride: usize,
    pub transposed: bool,
}

impl<'a> Matrix<'a> {
    /// Row after row, without gaps.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// Row after row, each `stride` after the one before.
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

    /// Rows as columns; nothing moves.
    pub(crate) fn transpose(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            transposed: !self.transposed,
            ..self
        }
    }

    /// The memory from a part's first element on, for kernels that read it through pointers. Panics
    /// unless all of the part is there: `rows` from `row` on, of `cols` from `col` on, none of them 0.
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

    /// Kernels read through pointers what this allows.
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

/// The right operand of a product.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Right<'a> {
    /// Packed for this product alone.
    Plain(Matrix<'a>),
    /// Packed before.
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

/// What is done with a product while it is in the cache.
#[derive(Debug, Default)]
pub(crate) struct Epilogue<'a> {
    /// Added to what the memory holds, instead of written over it.
    pub accumulate: bool,
    /// Added to each row.
    pub bias: Option<&'a [f32]>,
    /// Applied to each element.
    pub activation: Option<Activation>,
    /// Where the activation's results go; without it they replace what entered.
    pub activated: Option<&'a mut [f32]>,
    /// Written past the caches where that is possible: for what is large and read much later.
    pub streamed: bool,
}

/// `out = a · b`, finished; `out` has no gaps between rows.
pub(crate) fn multiply(
    out: &mut [f32],
    a: Matrix<'_>,
    b: Right<'_>,
    epilogue: Epilogue<'_>,
    precision: Precision,
) {
    clock::timed(|| driver::multiply(out, a, b, epilogue, precision));
}
