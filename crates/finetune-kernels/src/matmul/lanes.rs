//! Tiles of 6 × 16 in plain Rust, which the compiler vectorizes for the instruction set of the function
//! that it is inlined into: AVX2, or what every processor of the architecture has (SSE2, NEON).

use std::marker::PhantomData;

use super::{
    Matrix,
    kernel::{Kernel, Left, Tile},
    pack,
};
#[cfg(target_arch = "x86_64")]
use crate::processor::Limit;

const MR: usize = 6;
const NR: usize = 16;
const KC: usize = 384;

/// A kernel for any processor, with the instruction set `S`. With `ROUND`, the operands are rounded to
/// bf16 first, which gives the results of [`Avx512Bf16`](super::x86::bf16::Avx512Bf16) up to the order
/// of sums.
pub(crate) struct Lanes<S, const ROUND: bool>(PhantomData<S>);

/// An instruction set for which [`multiply`] is compiled.
pub(crate) trait InstructionSet: 'static {
    /// # Safety
    /// The processor has the instruction set, and the tile is writable.
    unsafe fn multiply<const R: usize>(
        left: Left<'_, f32>,
        right: &[f32],
        steps: usize,
        tile: &Tile<'_>,
    );
}

/// The baseline instruction set of the architecture.
pub(crate) struct Plain;

impl InstructionSet for Plain {
    unsafe fn multiply<const R: usize>(
        left: Left<'_, f32>,
        right: &[f32],
        steps: usize,
        tile: &Tile<'_>,
    ) {
        // Without a fused multiply-add instruction, Rust's `mul_add` is a slow function.
        const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
        // SAFETY: the caller's promise.
        unsafe { multiply::<R, FUSED>(left, right, steps, tile) }
    }
}

/// x86-64 processors since about 2013.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    pub(crate) fn is_available() -> bool {
        Limit::of_process() >= Limit::Avx2
            && std::is_x86_feature_detected!("avx2")
            && std::is_x86_feature_detected!("fma")
    }
}

#[cfg(target_arch = "x86_64")]
impl InstructionSet for Avx2 {
    unsafe fn multiply<const R: usize>(
        left: Left<'_, f32>,
        right: &[f32],
        steps: usize,
        tile: &Tile<'_>,
    ) {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn with_avx2<const R: usize>(
            left: Left<'_, f32>,
            right: &[f32],
            steps: usize,
            tile: &Tile<'_>,
        ) {
            // SAFETY: the caller's promise.
            unsafe { multiply::<R, true>(left, right, steps, tile) }
        }
        // SAFETY: the caller's promise.
        unsafe { with_avx2::<R>(left, right, steps, tile) }
    }
}

impl<S: InstructionSet, const ROUND: bool> Kernel for Lanes<S, ROUND> {
    type Element = f32;
    const MR: usize = MR;
    const NR: usize = NR;
    const KC: usize = KC;
    const PAD: usize = 1;

    fn pack_left(
        panel: &mut [f32],
        a: Matrix<'_>,
        row: usize,
        rows: usize,
        step: usize,
        steps: usize,
    ) {
        pack::left::<MR, KC>(panel, a, [row, rows], [step, steps], copy::<ROUND>);
    }

    fn left_in_place(a: Matrix<'_>) -> Option<&[f32]> {
        (!ROUND && pack::is_in_place(a)).then_some(a.data)
    }

    fn pack_right(
        panel: &mut [f32],
        b: Matrix<'_>,
        col: usize,
        cols: usize,
        step: usize,
        steps: usize,
    ) {
        if !b.transposed {
            pack::right_rows::<NR>(panel, b, [col, cols], [step, steps], copy::<ROUND>);
            return;
        }
        for (index, target) in panel.chunks_exact_mut(NR).take(steps).enumerate() {
            target.fill(0.0);
            for (lane, target) in target.iter_mut().enumerate().take(cols) {
                let value = b.data[(col + lane) * b.stride + step + index];
                *target = if ROUND { rounded(value) } else { value };
            }
        }
    }

    unsafe fn multiply(left: Left<'_, f32>, right: &[f32], steps: usize, tile: &Tile<'_>) {
        assert!(tile.is_within(MR, NR));
        // SAFETY: the caller's promises.
        unsafe {
            match tile.rows {
                1 => S::multiply::<1>(left, right, steps, tile),
                2 => S::multiply::<2>(left, right, steps, tile),
                3 => S::multiply::<3>(left, right, steps, tile),
                4 => S::multiply::<4>(left, right, steps, tile),
                5 => S::multiply::<5>(left, right, steps, tile),
                _ => S::multiply::<6>(left, right, steps, tile),
            }
        }
    }
}

fn copy<const ROUND: bool>(target: &mut [f32], source: &[f32]) {
    if !ROUND {
        target.copy_from_slice(source);
        return;
    }
    for (target, &source) in target.iter_mut().zip(source) {
        *target = rounded(source);
    }
}

/// Rounds to the nearest bf16, with ties to even. As with the processor's instructions, NaN stays NaN
/// and subnormal values become 0.
pub(super) fn rounded(value: f32) -> f32 {
    if value.is_nan() {
        return value;
    }
    if value.is_subnormal() {
        return 0.0 * value;
    }
    let bits = value.to_bits();
    f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

/// Multiplies `R` rows of a tile.
///
/// # Safety
/// The tile is writable for `R` rows and its columns.
#[inline(always)]
unsafe fn multiply<const R: usize, const FUSED: bool>(
    left: Left<'_, f32>,
    right: &[f32],
    steps: usize,
    tile: &Tile<'_>,
) {
    let (row_stride, step_stride) = left.strides();
    assert!(left.holds(R, steps));
    let mut first = [0.0f32; NR];
    if let Some(bias) = tile.bias {
        first[..bias.len()].copy_from_slice(bias);
    }
    let mut sums = [first; R];
    for (step, right) in right.as_chunks::<NR>().0.iter().take(steps).enumerate() {
        pack::fetch_far(tile.ahead.line(step));
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: the assertion has checked the last element. Checking every element takes longer than
            // the multiplications.
            let left = unsafe {
                *left
                    .elements
                    .get_unchecked(row * row_stride + step * step_stride)
            };
            for (sum, &right) in sums.iter_mut().zip(right) {
                *sum = match FUSED {
                    true => left.mul_add(right, *sum),
                    false => left * right + *sum,
                };
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        // SAFETY: the caller's promise.
        let target =
            unsafe { std::slice::from_raw_parts_mut(tile.start.add(row * tile.stride), tile.cols) };
        match <&mut [f32; NR]>::try_from(&mut *target) {
            Ok(target) => write(target, sums, tile.accumulate),
            Err(_) => {
                // The line is copied, because indexed sums could not stay in registers.
                let mut line = [0.0; NR];
                line[..tile.cols].copy_from_slice(target);
                write(&mut line, sums, tile.accumulate);
                target.copy_from_slice(&line[..tile.cols]);
            }
        }
    }
}

#[inline(always)]
fn write(target: &mut [f32; NR], sums: &[f32; NR], accumulate: bool) {
    for (target, &sum) in target.iter_mut().zip(sums) {
        *target = if accumulate { *target + sum } else { sum };
    }
}
