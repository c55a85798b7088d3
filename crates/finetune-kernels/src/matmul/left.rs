//! The left operand, packed into panels or read in place.

use bytemuck::cast_slice_mut;
use rayon::prelude::*;

use super::{
    Matrix,
    kernel::{Kernel, Left, step_blocks},
};
use crate::memory::Piece;

/// The left operand in memory.
#[derive(Clone, Copy)]
pub(super) struct LeftOperand<'a, E> {
    elements: &'a [E],
    /// Distance in elements between rows, or in transposed panels between steps.
    stride: usize,
    /// Distances in elements between panels and between blocks of steps, if it is packed.
    panels: Option<[usize; 2]>,
    transposed: bool,
}

impl<'a, E> LeftOperand<'a, E> {
    pub(super) fn in_place(elements: &'a [E], stride: usize) -> Self {
        Self {
            elements,
            stride,
            panels: None,
            transposed: false,
        }
    }

    /// Describes the elements that [`pack_left`] wrote for `a`.
    pub(super) fn packed<K: Kernel<Element = E>>(elements: &'a [E], a: Matrix<'_>) -> Self {
        let block = K::MR * K::KC;
        Self {
            elements,
            stride: if a.transposed { K::MR } else { K::KC },
            panels: Some([step_blocks::<K>(a.cols).len() * block, block]),
            transposed: a.transposed,
        }
    }

    /// Returns the panel of the rows starting at `row`, from the first step of a block.
    pub(super) fn panel(
        &self,
        row: usize,
        panel: usize,
        block: usize,
        first_step: usize,
    ) -> Left<'a, E> {
        let elements = match self.panels {
            Some([panels, blocks]) => &self.elements[panel * panels + block * blocks..][..blocks],
            None => &self.elements[row * self.stride + first_step..],
        };
        Left {
            elements,
            stride: self.stride,
            transposed: self.transposed,
        }
    }
}

/// Packs the whole left operand into new memory.
pub(super) fn pack_all_left<'a, K: Kernel>(
    memory: &'a mut Piece,
    a: Matrix<'_>,
    is_small: bool,
) -> &'a [K::Element] {
    // Without steps there is nothing to pack, and chunks must not have length 0.
    let length = (step_blocks::<K>(a.cols).len() * K::MR * K::KC).max(1);
    let count = a.rows.div_ceil(K::MR) * length;
    *memory = Piece::new((count * size_of::<K::Element>()).div_ceil(size_of::<f32>()));
    let left: &mut [K::Element] = &mut cast_slice_mut(memory.as_mut_slice())[..count];
    let pack = |(index, target): (usize, &mut [K::Element])| {
        pack_left::<K>(target, a, index * K::MR);
    };
    match is_small {
        true => left.chunks_mut(length).enumerate().for_each(pack),
        false => left.par_chunks_mut(length).enumerate().for_each(pack),
    }
    left
}

/// Packs the rows of the panel starting at `row`, block after block.
pub(super) fn pack_left<K: Kernel>(target: &mut [K::Element], a: Matrix<'_>, row: usize) {
    let rows = (a.rows - row).min(K::MR);
    let panels = target.chunks_exact_mut(K::MR * K::KC);
    for (panel, steps) in panels.zip(step_blocks::<K>(a.cols)) {
        K::pack_left(panel, a, row, rows, steps.start, steps.len());
    }
}
