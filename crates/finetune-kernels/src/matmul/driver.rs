//! Divides a multiplication for the caches and for the threads.
//!
//! The left operand is packed once, panel by panel, unless the kernel can read its rows in place. Then
//! each task takes some of its rows and a group of columns, packs those columns of the right operand a
//! block of steps at a time (which stays in the L2 cache while the rows pass through the L1 cache), and
//! applies the epilogue to its part of the result while that is in the cache. The result does not
//! depend on which thread executes which task.

use std::{cell::RefCell, ops::Range};

use bytemuck::cast_slice_mut;
use rayon::prelude::*;

use super::{
    Epilogue, Matrix, Right,
    block::{Block, BlockEpilogue, Memory},
    choice::{Choice, Work},
    kernel::{Kernel, step_blocks},
    left::{LeftOperand, pack_all_left, pack_left},
};
use crate::{Precision, cpu::norm, memory::Piece};

/// Number of panels of the right operand in a group, so that a block of steps fits into the L2 cache.
const GROUP: usize = 3;
/// Maximum number of panels in a group if there are so few steps that more of them fit.
const MOST_GROUP: usize = 8;
/// Maximum number of panels of the left operand in a task. Their results fit into the L2 cache while one
/// block after another is added to them.
const MOST_ROWS: usize = 40;
/// Maximum number of panels of the left operand if a single block holds all steps and nothing is added.
const MOST_ROWS_ONCE: usize = 128;
/// Minimum number of panels of the left operand in a task, so that packing the right operand pays off.
const FEWEST_ROWS: usize = 4;
/// Minimum number of tasks of a multiplication that is large enough.
const TASKS: usize = 8;
/// Minimum number of tasks per thread.
const TASKS_PER_THREAD: usize = 2;
/// The number of scalar multiplications below which one thread is faster than several.
const SMALL: usize = 1 << 18;

/// See [`multiply`](super::multiply).
pub(super) fn multiply(
    out: &mut [f32],
    a: Matrix<'_>,
    b: Right<'_>,
    epilogue: Epilogue<'_>,
    precision: Precision,
) {
    let choice = match b {
        Right::Plain(_) => Choice::new(precision),
        Right::Packed(packed) => packed.choice,
    };
    choice.run(Multiplication {
        out,
        a,
        b,
        epilogue,
    });
}

struct Multiplication<'a> {
    out: &'a mut [f32],
    a: Matrix<'a>,
    b: Right<'a>,
    epilogue: Epilogue<'a>,
}

impl Work for Multiplication<'_> {
    type Output = ();

    fn run<K: Kernel>(self) {
        let Self {
            out,
            a,
            b,
            epilogue,
        } = self;
        let (rows, steps, cols) = (a.rows, a.cols, b.cols());
        assert!(b.rows() == steps && out.len() == rows * cols);
        assert!(epilogue.bias.is_none_or(|bias| bias.len() == cols));
        assert!(
            epilogue
                .activated
                .as_ref()
                .is_none_or(|x| x.len() == out.len())
        );
        if steps == 0 {
            // No tile would be computed, and so nothing written.
            for row in out.chunks_exact_mut(cols.max(1)) {
                if !epilogue.accumulate {
                    row.fill(0.0);
                }
                if let Some(bias) = epilogue.bias {
                    norm::add(row, bias);
                }
            }
        }
        let blocks = step_blocks::<K>(steps).len();
        let group = group_size::<K>(steps, cols, matches!(b, Right::Plain(_)));
        let is_small = rows * steps * cols <= SMALL;
        let mut memory = Piece::new(0);
        let left = match K::left_in_place(a) {
            Some(elements) => LeftOperand::in_place(elements, a.stride),
            None => LeftOperand::packed::<K>(pack_all_left::<K>(&mut memory, a, is_small), a),
        };
        let is_final = blocks == 1 && !epilogue.accumulate && epilogue.activation.is_none();
        let block = Block::<K> {
            out: Memory(out.as_mut_ptr()),
            stride: cols,
            left,
            rows,
            right: b,
            bias: epilogue.bias,
            accumulate: epilogue.accumulate,
            streamed: epilogue.streamed && is_final,
        };
        let block_epilogue = BlockEpilogue {
            out: Memory(out.as_mut_ptr()),
            stride: cols,
            activation: epilogue.activation,
            activated: epilogue.activated.map(|x| Memory(x.as_mut_ptr())),
        };
        let run = |(rows, cols): (Range<usize>, Range<usize>)| {
            let count = group * K::NR * K::KC * size_of::<K::Element>();
            let mut memory = Piece::new(count.div_ceil(size_of::<f32>()));
            // SAFETY: no two tasks have an element of the result in common, and nothing else refers to
            // the result until all are done.
            unsafe {
                block.run(
                    rows.clone(),
                    cols.clone(),
                    cast_slice_mut(memory.as_mut_slice()),
                );
                block_epilogue.run(rows, cols);
            }
        };
        let tasks = tasks::<K>(rows, cols, blocks, group);
        match is_small {
            true => tasks.into_iter().for_each(run),
            false => tasks.into_par_iter().with_max_len(1).for_each(run),
        }
    }
}

/// Returns the number of panels of the right operand in a group; all groups have about equally many. If they
/// are packed here, wider groups than necessary would be fewer, whose rows are divided among more tasks, each of
/// which packs the columns again.
fn group_size<K: Kernel>(steps: usize, cols: usize, are_packed_here: bool) -> usize {
    let panels = cols.div_ceil(K::NR).max(1);
    let most = (GROUP * K::KC / steps.clamp(1, K::KC)).min(MOST_GROUP);
    let most = match are_packed_here && panels > most {
        true => GROUP,
        false => most,
    };
    panels.div_ceil(panels.div_ceil(most))
}

/// Lists the rows and columns of the tasks. Tasks of the same rows follow each other, so that a thread
/// mostly reads what it wrote in the previous multiplication instead of data in other cores' caches.
fn tasks<K: Kernel>(
    rows: usize,
    cols: usize,
    blocks: usize,
    group: usize,
) -> Vec<(Range<usize>, Range<usize>)> {
    let panels = rows.div_ceil(K::MR);
    let groups = cols.div_ceil(group * K::NR);
    // How rows and columns are divided does not affect the order of any sum.
    let wanted = TASKS.max(TASKS_PER_THREAD * rayon::current_num_threads());
    let wanted = wanted.div_ceil(groups.max(1));
    let most_rows = if blocks > 1 {
        MOST_ROWS
    } else {
        MOST_ROWS_ONCE
    };
    let parts = (panels.div_ceil(most_rows))
        .max(wanted.min(panels / FEWEST_ROWS))
        .max(1);
    let (height, width) = (panels.div_ceil(parts) * K::MR, group * K::NR);
    let ranges = |length: usize, size: usize| {
        let starts = (0..length).step_by(size.max(1));
        starts.map(move |start| start..(start + size).min(length))
    };
    ranges(rows, height)
        .flat_map(|rows| ranges(cols, width).map(move |cols| (rows.clone(), cols)))
        .collect()
}

/// Computes `out = a · b` or `out += a · b` for small matrices, on this thread and with memory that the
/// thread reuses. Rows of `out` start `stride` elements apart.
pub(crate) fn multiply_here(
    out: &mut [f32],
    stride: usize,
    a: Matrix<'_>,
    b: Matrix<'_>,
    accumulate: bool,
    precision: Precision,
) {
    assert!(b.rows == a.cols && b.cols <= stride);
    assert!(a.rows == 0 || (a.rows - 1) * stride + b.cols <= out.len());
    Choice::new(precision).run(SmallMultiplication {
        out,
        stride,
        a,
        b,
        accumulate,
    });
}

struct SmallMultiplication<'a> {
    out: &'a mut [f32],
    stride: usize,
    a: Matrix<'a>,
    b: Matrix<'a>,
    accumulate: bool,
}

thread_local! {
    /// Memory for the packed operands of small multiplications.
    static PACKED: RefCell<Piece> = RefCell::new(Piece::new(0));
}

impl Work for SmallMultiplication<'_> {
    type Output = ();

    fn run<K: Kernel>(self) {
        if self.a.cols == 0 && !self.accumulate {
            let rows = self.out.chunks_mut(self.stride.max(1)).take(self.a.rows);
            rows.for_each(|row| row[..self.b.cols].fill(0.0));
        }
        let blocks = step_blocks::<K>(self.a.cols).len();
        let in_place = K::left_in_place(self.a);
        let panels = match in_place {
            Some(_) => 0,
            None => self.a.rows.div_ceil(K::MR),
        };
        let left_length = panels * blocks * K::MR * K::KC;
        let right_length = GROUP * K::NR * K::KC;
        let bytes = (left_length + right_length) * size_of::<K::Element>();
        PACKED.with_borrow_mut(|memory| {
            let length = bytes.div_ceil(size_of::<f32>());
            if memory.as_slice().len() < length {
                *memory = Piece::new(length);
            }
            let memory: &mut [K::Element] = cast_slice_mut(memory.as_mut_slice());
            let (left, right) = memory.split_at_mut(left_length);
            let panels = left.chunks_mut((blocks * K::MR * K::KC).max(1));
            for (index, target) in panels.enumerate() {
                pack_left::<K>(target, self.a, index * K::MR);
            }
            let block = Block::<K> {
                out: Memory(self.out.as_mut_ptr()),
                stride: self.stride,
                left: match in_place {
                    Some(elements) => LeftOperand::in_place(elements, self.a.stride),
                    None => LeftOperand::packed::<K>(left, self.a),
                },
                rows: self.a.rows,
                right: Right::Plain(self.b),
                bias: None,
                accumulate: self.accumulate,
                streamed: false,
            };
            for col in (0..self.b.cols).step_by(GROUP * K::NR) {
                let end = (col + GROUP * K::NR).min(self.b.cols);
                // SAFETY: the result is borrowed for writing, and large enough by the assertions.
                unsafe { block.run(0..self.a.rows, col..end, right) };
            }
        });
    }
}

/// Runs [`multiply`] on a kernel of the caller's choice.
#[cfg(test)]
pub(super) fn run_on(
    choice: Choice,
    out: &mut [f32],
    a: Matrix<'_>,
    b: Right<'_>,
    epilogue: Epilogue<'_>,
) {
    choice.run(Multiplication {
        out,
        a,
        b,
        epilogue,
    });
}
