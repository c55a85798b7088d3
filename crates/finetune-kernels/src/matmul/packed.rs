//! Right operands that are packed in advance.

use bytemuck::{cast_slice, cast_slice_mut};
use rayon::prelude::*;

use super::{
    Matrix,
    choice::{Choice, Work},
    kernel::{Kernel, step_blocks},
};
use crate::{Precision, memory::Piece};

/// A right operand in the layout of a kernel, for repeated use.
#[derive(Debug)]
pub(crate) struct PackedMatrix {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) choice: Choice,
    memory: Piece,
}

impl PackedMatrix {
    /// Packs a matrix for multiplications in `precision` on this processor.
    pub(crate) fn new(matrix: Matrix<'_>, precision: Precision) -> Self {
        let choice = Choice::new(precision);
        choice.run(Pack(matrix, choice))
    }

    /// Returns a panel of columns, `[rows, NR]` in blocks of steps, starting at step `first_step`.
    pub(super) fn panel<K: Kernel>(&self, panel: usize, first_step: usize) -> &[K::Element] {
        let all: &[K::Element] = cast_slice(self.memory.as_slice());
        let length = panel_length::<K>(self.rows);
        &all[panel * length..][..length][first_step * K::NR..]
    }
}

/// Returns the number of elements in a panel of all steps.
fn panel_length<K: Kernel>(steps: usize) -> usize {
    let blocks = step_blocks::<K>(steps);
    let padded = blocks.map(|block| block.len().next_multiple_of(K::PAD));
    padded.sum::<usize>() * K::NR
}

struct Pack<'a>(Matrix<'a>, Choice);

impl Work for Pack<'_> {
    type Output = PackedMatrix;

    fn run<K: Kernel>(self) -> PackedMatrix {
        let Self(matrix, choice) = self;
        let length = panel_length::<K>(matrix.rows);
        let panels = matrix.cols.div_ceil(K::NR);
        let bytes = panels * length * size_of::<K::Element>();
        let mut memory = Piece::new(bytes.div_ceil(size_of::<f32>()));
        let all: &mut [K::Element] = cast_slice_mut(memory.as_mut_slice());
        if length > 0 {
            let panels = all[..panels * length].par_chunks_mut(length);
            panels.enumerate().for_each(|(panel, target)| {
                let col = panel * K::NR;
                let cols = (matrix.cols - col).min(K::NR);
                for steps in step_blocks::<K>(matrix.rows) {
                    let target = &mut target[steps.start * K::NR..];
                    K::pack_right(target, matrix, col, cols, steps.start, steps.len());
                }
            });
        }
        PackedMatrix {
            rows: matrix.rows,
            cols: matrix.cols,
            choice,
            memory,
        }
    }
}
