//! How a product is cut: for the caches, and for the threads.
//!
//! The left operand is packed once, panel by panel, unless the kernel can read its rows where they
//! are. Then each task takes some of its rows and a group of columns, packs those columns of the right
//! operand a block of steps at a time (which stay in the second cache while the rows pass through
//! the first), and finishes its part of the result while that is in the cache. Who does a task
//! changes no bit of it.

use std::{cell::RefCell, ops::Range};

use bytemuck::cast_slice_mut;
use rayon::prelude::*;

use super::{
    Finish, Matrix, Right,
    ahead::Lines,
    kernel::{Kernel, Left, Tile},
    lanes::{Lanes, Plain},
};
#[cfg(target_arch = "x86_64")]
use super::{amx::Amx, avx512::Avx512, bf16::Avx512Bf16, lanes::Avx2};
use crate::{
    Activation, Precision,
    cpu::{activation, norm},
    memory::Piece,
};

/// Panels of the right operand in a group: their block of steps fits into the second cache.
const GROUP: usize = 3;
/// Lines of the right operand that are packed at a time; even.
const LINES: usize = 16;
/// Panels of the left operand in a task at most: their results fit into the second cache, where
/// they are added to block after block.
const MOST_ROWS: usize = 40;
/// The same where one block holds all steps, and nothing is added.
const MOST_ROWS_ONCE: usize = 128;
/// Panels of the left operand in a task at least, so that packing the right one is worth it.
const FEWEST_ROWS: usize = 4;
/// Tasks that a product is cut into at least, if it is large enough.
const TASKS: usize = 8;
/// The same for each thread.
const TASKS_PER_THREAD: usize = 2;
/// Multiplications below which one thread is faster than several.
const SMALL: usize = 1 << 18;

/// The kernel that a product runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    #[cfg(target_arch = "x86_64")]
    Amx,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx2Rounded,
    Plain,
    PlainRounded,
}

/// What runs on a kernel.
pub(super) trait Work {
    type Output;
    fn run<K: Kernel>(self) -> Self::Output;
}

impl Choice {
    /// The fastest kernel of this processor.
    pub(super) fn new(precision: Precision) -> Self {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        match precision {
            Precision::F32 if Avx512::is_available() => return Self::Avx512,
            Precision::Bf16 if Amx::is_available() => return Self::Amx,
            Precision::Bf16 if Avx512Bf16::is_available() => return Self::Avx512Bf16,
            Precision::F32 if Avx2::is_available() => return Self::Avx2,
            Precision::Bf16 if Avx2::is_available() => return Self::Avx2Rounded,
            _ => {}
        }
        match precision {
            Precision::F32 => Self::Plain,
            Precision::Bf16 => Self::PlainRounded,
        }
    }

    pub(super) fn run<W: Work>(self, work: W) -> W::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => work.run::<Amx>(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => work.run::<Avx512>(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => work.run::<Avx512Bf16>(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => work.run::<Lanes<Avx2, false>>(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2Rounded => work.run::<Lanes<Avx2, true>>(),
            Self::Plain => work.run::<Lanes<Plain, false>>(),
            Self::PlainRounded => work.run::<Lanes<Plain, true>>(),
        }
    }
}

/// See [`product`](super::product).
pub(super) fn product(
    out: &mut [f32],
    a: Matrix<'_>,
    b: Right<'_>,
    finish: Finish<'_>,
    precision: Precision,
) {
    let choice = match b {
        Right::Plain(_) => Choice::new(precision),
        Right::Packed(packed) => packed.choice,
    };
    choice.run(Product { out, a, b, finish });
}

struct Product<'a> {
    out: &'a mut [f32],
    a: Matrix<'a>,
    b: Right<'a>,
    finish: Finish<'a>,
}

impl Work for Product<'_> {
    type Output = ();

    fn run<K: Kernel>(self) {
        let Self { out, a, b, finish } = self;
        let (rows, steps, cols) = (a.rows, a.cols, b.cols());
        assert!(b.rows() == steps && out.len() == rows * cols);
        assert!(finish.bias.is_none_or(|bias| bias.len() == cols));
        assert!(
            finish
                .activated
                .as_ref()
                .is_none_or(|x| x.len() == out.len())
        );
        if steps == 0 {
            // No tile is computed.
            for row in out.chunks_exact_mut(cols.max(1)) {
                if !finish.accumulate {
                    row.fill(0.0);
                }
                if let Some(bias) = finish.bias {
                    norm::add(row, bias);
                }
            }
        }
        let blocks = step_blocks::<K>(steps).len();
        let is_small = rows * steps * cols <= SMALL;
        let mut memory = Piece::new(0);
        let left = match K::left_in_place(a) {
            Some(numbers) => LeftOperand::in_place(numbers, a.stride),
            None => LeftOperand::packed::<K>(pack_all_left::<K>(&mut memory, a, is_small), a),
        };
        let is_final = blocks == 1 && !finish.accumulate && finish.activation.is_none();
        let block = Block::<K> {
            out: Memory(out.as_mut_ptr()),
            stride: cols,
            left,
            rows,
            right: b,
            bias: finish.bias,
            accumulate: finish.accumulate,
            streamed: finish.streamed && is_final,
        };
        let end = End {
            out: Memory(out.as_mut_ptr()),
            stride: cols,
            activation: finish.activation,
            activated: finish.activated.map(|x| Memory(x.as_mut_ptr())),
        };
        let run = |(rows, cols): (Range<usize>, Range<usize>)| {
            let count = GROUP * K::NR * K::KC * size_of::<K::Element>();
            let mut memory = Piece::new(count.div_ceil(size_of::<f32>()));
            // SAFETY: no two tasks have an element of the result in common, and nothing else
            // refers to it until all are done.
            unsafe {
                block.run(
                    rows.clone(),
                    cols.clone(),
                    cast_slice_mut(memory.as_mut_slice()),
                );
                end.run(rows, cols);
            }
        };
        let tasks = tasks::<K>(rows, cols, blocks);
        match is_small {
            true => tasks.into_iter().for_each(run),
            false => tasks.into_par_iter().with_max_len(1).for_each(run),
        }
    }
}

/// Rows and columns of each task. Those of the same rows follow each other, so that a thread mostly
/// reads what it wrote in the product before, and not what the other cores' caches hold.
fn tasks<K: Kernel>(rows: usize, cols: usize, blocks: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let panels = rows.div_ceil(K::MR);
    let groups = cols.div_ceil(GROUP * K::NR);
    // How rows and columns are cut changes no sum's order.
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
    let (height, width) = (panels.div_ceil(parts) * K::MR, GROUP * K::NR);
    let ranges = |length: usize, size: usize| {
        let starts = (0..length).step_by(size.max(1));
        starts.map(move |start| start..(start + size).min(length))
    };
    ranges(rows, height)
        .flat_map(|rows| ranges(cols, width).map(move |cols| (rows.clone(), cols)))
        .collect()
}

/// Steps of the inner dimension that are taken at a time, of nearly equal lengths.
pub(super) fn step_blocks<K: Kernel>(steps: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = steps.div_ceil(K::KC).max(1);
    let length = steps.div_ceil(count).next_multiple_of(32).min(K::KC);
    (0..steps.div_ceil(length.max(1)))
        .map(move |block| block * length..(block * length + length).min(steps))
}

/// Packs the left operand into memory that is taken for it.
fn pack_all_left<'a, K: Kernel>(
    memory: &'a mut Piece,
    a: Matrix<'_>,
    is_small: bool,
) -> &'a [K::Element] {
    // With no steps there is nothing to pack, and chunks cannot be of length 0.
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

/// Packs the rows of one panel from `row` on, block after block.
fn pack_left<K: Kernel>(target: &mut [K::Element], a: Matrix<'_>, row: usize) {
    let rows = (a.rows - row).min(K::MR);
    let panels = target.chunks_exact_mut(K::MR * K::KC);
    for (panel, steps) in panels.zip(step_blocks::<K>(a.cols)) {
        K::pack_left(panel, a, row, rows, steps.start, steps.len());
    }
}

/// Packs a group of columns of one block of steps, panel after panel. Where columns lie side by side,
/// a few lines at a time, so that each is read once from one end to the other.
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

/// Where the left operand is.
#[derive(Clone, Copy)]
struct LeftOperand<'a, E> {
    numbers: &'a [E],
    /// From row to row; in panels, from row to row or from step to step of one.
    stride: usize,
    /// From panel to panel and from block of steps to block of steps, if it is packed.
    panels: Option<[usize; 2]>,
    transposed: bool,
}

impl<'a, E> LeftOperand<'a, E> {
    fn in_place(numbers: &'a [E], stride: usize) -> Self {
        Self {
            numbers,
            stride,
            panels: None,
            transposed: false,
        }
    }

    /// What [`pack_left`] made of `a`.
    fn packed<K: Kernel<Element = E>>(numbers: &'a [E], a: Matrix<'_>) -> Self {
        let block = K::MR * K::KC;
        Self {
            numbers,
            stride: if a.transposed { K::MR } else { K::KC },
            panels: Some([step_blocks::<K>(a.cols).len() * block, block]),
            transposed: a.transposed,
        }
    }

    /// The panel of the rows from `row` on, from the first step of a block on.
    fn panel(&self, row: usize, panel: usize, block: usize, first_step: usize) -> Left<'a, E> {
        let numbers = match self.panels {
            Some([panels, blocks]) => &self.numbers[panel * panels + block * blocks..][..blocks],
            None => &self.numbers[row * self.stride + first_step..],
        };
        Left {
            numbers,
            stride: self.stride,
            transposed: self.transposed,
        }
    }
}

/// Memory that tasks share; each writes elements of its own.
#[derive(Clone, Copy)]
struct Memory(*mut f32);

// SAFETY: who writes through the pointer promises that nobody else does there.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

/// Any part of a product.
struct Block<'a, K: Kernel> {
    out: Memory,
    stride: usize,
    left: LeftOperand<'a, K::Element>,
    rows: usize,
    right: Right<'a>,
    bias: Option<&'a [f32]>,
    accumulate: bool,
    /// Whether the results may go past the caches.
    streamed: bool,
}

impl<K: Kernel> Block<'_, K> {
    /// # Safety
    /// Nobody else refers to these rows and columns of the result, and the processor is the
    /// kernel's.
    unsafe fn run(&self, rows: Range<usize>, cols: Range<usize>, buffer: &mut [K::Element]) {
        let right_panel = K::NR * K::KC;
        K::begin();
        for (index, steps) in step_blocks::<K>(self.right.rows()).enumerate() {
            let mut next = self.next(&cols, steps.end);
            if let Right::Plain(b) = self.right {
                pack_right::<K>(buffer, b, cols.clone(), steps.clone());
            }
            for row in rows.clone().step_by(K::MR) {
                let left = self.left.panel(row, row / K::MR, index, steps.start);
                for (number, col) in cols.clone().step_by(K::NR).enumerate() {
                    let right = match self.right {
                        Right::Plain(_) => &buffer[number * right_panel..][..right_panel],
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
            // Before anybody is told that the results are there.
            K::finish_streaming();
        }
    }

    /// What is packed after the steps before `end`, as far as one can tell: more steps of these
    /// columns, or the first of as many others.
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

/// What is done with the sums.
struct End {
    out: Memory,
    stride: usize,
    activation: Option<Activation>,
    activated: Option<Memory>,
}

impl End {
    /// # Safety
    /// Nobody else refers to these rows and columns of the result.
    unsafe fn run(&self, rows: Range<usize>, cols: Range<usize>) {
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

/// `out = a · b`, or `out += a · b`, for small matrices: on this thread, with memory that the thread
/// keeps. Rows of `out` start `stride` apart.
pub(crate) fn product_here(
    out: &mut [f32],
    stride: usize,
    a: Matrix<'_>,
    b: Matrix<'_>,
    accumulate: bool,
    precision: Precision,
) {
    assert!(b.rows == a.cols && b.cols <= stride);
    assert!(a.rows == 0 || (a.rows - 1) * stride + b.cols <= out.len());
    Choice::new(precision).run(SmallProduct {
        out,
        stride,
        a,
        b,
        accumulate,
    });
}

struct SmallProduct<'a> {
    out: &'a mut [f32],
    stride: usize,
    a: Matrix<'a>,
    b: Matrix<'a>,
    accumulate: bool,
}

thread_local! {
    /// Packed operands of small products.
    static PACKED: RefCell<Piece> = RefCell::new(Piece::new(0));
}

impl Work for SmallProduct<'_> {
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
                    Some(numbers) => LeftOperand::in_place(numbers, self.a.stride),
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

/// [`product`] on a kernel of the caller's choice.
#[cfg(test)]
pub(super) fn run_on(
    choice: Choice,
    out: &mut [f32],
    a: Matrix<'_>,
    b: Right<'_>,
    finish: Finish<'_>,
) {
    choice.run(Product { out, a, b, finish });
}
