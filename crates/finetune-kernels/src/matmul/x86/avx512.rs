//! Tiles of 12 × 32 in f32 with AVX-512: 24 registers of sums, and one fused multiply-add per cycle and
//! unit.

use std::arch::x86_64::*;

use super::super::{
    Matrix,
    kernel::{Kernel, Left, Tile},
    pack,
};
use crate::processor::Limit;

/// Calls a function with the number of rows as its first const argument, so that its sums stay in
/// registers.
macro_rules! by_rows_of_tile {
    ($rows:expr, $function:ident, $transposed:expr, ($($argument:expr),*)) => {
        match $rows {
            1 => $function::<1, { $transposed }>($($argument),*),
            2 => $function::<2, { $transposed }>($($argument),*),
            3 => $function::<3, { $transposed }>($($argument),*),
            4 => $function::<4, { $transposed }>($($argument),*),
            5 => $function::<5, { $transposed }>($($argument),*),
            6 => $function::<6, { $transposed }>($($argument),*),
            7 => $function::<7, { $transposed }>($($argument),*),
            8 => $function::<8, { $transposed }>($($argument),*),
            9 => $function::<9, { $transposed }>($($argument),*),
            10 => $function::<10, { $transposed }>($($argument),*),
            11 => $function::<11, { $transposed }>($($argument),*),
            _ => $function::<12, { $transposed }>($($argument),*),
        }
    };
}
pub(super) use by_rows_of_tile;

pub(super) const MR: usize = 12;
pub(super) const NR: usize = 32;
const KC: usize = 384;
/// Number of elements of each line that are prefetched while packing along 16 of them.
pub(super) const ELEMENTS_AHEAD: usize = 64;

/// The kernel for processors with AVX-512F.
pub(crate) struct Avx512;

impl Avx512 {
    pub(crate) fn is_available() -> bool {
        Limit::of_process() == Limit::Everything && std::is_x86_feature_detected!("avx512f")
    }
}

impl Kernel for Avx512 {
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
        pack::left::<MR, KC>(
            panel,
            a,
            [row, rows],
            [step, steps],
            <[f32]>::copy_from_slice,
        );
    }

    fn left_in_place(a: Matrix<'_>) -> Option<&[f32]> {
        pack::is_in_place(a).then_some(a.data)
    }

    fn pack_right(
        panel: &mut [f32],
        b: Matrix<'_>,
        col: usize,
        cols: usize,
        step: usize,
        steps: usize,
    ) {
        assert!(panel.len() >= steps * NR && cols <= NR);
        if b.transposed {
            let source = b.part([step, steps], [col, cols]);
            // SAFETY: the processor has AVX-512F (the kernel's condition); reads stay inside
            // `source` and writes inside `panel` by the assertions.
            unsafe {
                pack_right_transposed(panel.as_mut_ptr(), source.as_ptr(), b.stride, cols, steps)
            }
            return;
        }
        pack::right_rows::<NR>(
            panel,
            b,
            [col, cols],
            [step, steps],
            <[f32]>::copy_from_slice,
        );
    }

    unsafe fn multiply(left: Left<'_, f32>, right: &[f32], steps: usize, tile: &Tile<'_>) {
        assert!(right.len() >= steps * NR && tile.is_within(MR, NR) && steps <= KC);
        let (a, b) = (left.elements.as_ptr(), right.as_ptr());
        assert!(left.holds(tile.rows, steps));
        // SAFETY: the caller's promises; the panels are as long as they must be by the assertions.
        unsafe {
            if left.transposed {
                assert!(left.stride == MR);
                by_rows_of_tile!(tile.rows, multiply, true, (steps, a, MR, b, tile));
            } else {
                by_rows_of_tile!(tile.rows, multiply, false, (steps, a, left.stride, b, tile));
            }
        }
    }

    fn finish_streaming() {
        finish_streaming();
    }
}

/// Multiplies `R` rows that are `stride` apart, or, if transposed, steps that are `MR` apart.
///
/// # Safety
/// AVX-512F; `a` and `b` readable for `steps`, the tile writable.
#[target_feature(enable = "avx512f")]
unsafe fn multiply<const R: usize, const TRANSPOSED: bool>(
    steps: usize,
    a: *const f32,
    stride: usize,
    b: *const f32,
    tile: &Tile<'_>,
) {
    let (from_row, from_step) = if TRANSPOSED { (1, MR) } else { (stride, 1) };
    let mut sums = [first_sums(tile); R];
    for step in 0..steps {
        // SAFETY: the caller's promise. A prefetch beyond the panel reads nothing.
        unsafe {
            let (a, b) = (a.add(step * from_step), b.add(step * NR));
            let right = [_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16))];
            prefetch(b.wrapping_add(AHEAD * NR));
            pack::fetch_far(tile.ahead.line(step));
            for (row, sums) in sums.iter_mut().enumerate() {
                let left = _mm512_set1_ps(*a.add(row * from_row));
                sums[0] = _mm512_fmadd_ps(left, right[0], sums[0]);
                sums[1] = _mm512_fmadd_ps(left, right[1], sums[1]);
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe { store(sums, tile) }
}

/// Number of steps by which the right panel is prefetched ahead of its use.
pub(super) const AHEAD: usize = 16;

/// Prefetches two cache lines into the L1 cache.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn prefetch(line: *const f32) {
    pack::fetch(line);
    pack::fetch(line.wrapping_add(16));
}

/// Returns the initial values of the sums of a row of the tile.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn first_sums(tile: &Tile<'_>) -> [__m512; 2] {
    let Some(bias) = tile.bias else {
        return [_mm512_setzero_ps(); 2];
    };
    [0, 16].map(|first| {
        let mask = mask(bias.len().saturating_sub(first));
        // SAFETY: the mask leaves out what is beyond the bias.
        unsafe { _mm512_maskz_loadu_ps(mask, bias.as_ptr().wrapping_add(first)) }
    })
}

/// Writes the sums of a tile, or adds them to it.
///
/// # Safety
/// AVX-512F; the tile writable for `R` rows.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) unsafe fn store<const R: usize>(sums: [[__m512; 2]; R], tile: &Tile<'_>) {
    if tile.streamed && tile.cols == NR && tile.is_aligned() {
        for (row, sums) in sums.into_iter().enumerate() {
            // SAFETY: the whole row is the tile's, and its halves are cache lines.
            unsafe {
                let target = tile.start.add(row * tile.stride);
                _mm512_stream_ps(target, sums[0]);
                _mm512_stream_ps(target.add(16), sums[1]);
            }
        }
        return;
    }
    let masks = [mask(tile.cols), mask(tile.cols.saturating_sub(16))];
    for (row, sums) in sums.into_iter().enumerate() {
        for (half, (mut sum, mask)) in sums.into_iter().zip(masks).enumerate() {
            // SAFETY: the mask leaves out what is beyond the tile.
            unsafe {
                let target = tile.start.add(row * tile.stride).wrapping_add(16 * half);
                if tile.accumulate {
                    sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, target));
                }
                _mm512_mask_storeu_ps(target, mask, sum);
            }
        }
    }
}

/// See [`Kernel::finish_streaming`].
pub(super) fn finish_streaming() {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { _mm_sfence() }
}

/// Returns a mask of the first `count` of 16 lanes.
pub(super) fn mask(count: usize) -> __mmask16 {
    match count {
        0..16 => (1 << count) - 1,
        _ => !0,
    }
}

/// Packs columns of a matrix whose lines are columns.
///
/// # Safety
/// AVX-512F; `source` readable for `cols` lines of `steps`, `panel` writable for `steps · NR`.
#[target_feature(enable = "avx512f")]
unsafe fn pack_right_transposed(
    panel: *mut f32,
    source: *const f32,
    stride: usize,
    cols: usize,
    steps: usize,
) {
    for half in 0..2 {
        let cols = cols.saturating_sub(16 * half).min(16);
        for step in (0..steps).step_by(16) {
            let count = (steps - step).min(16);
            let mut lines = [_mm512_setzero_si512(); 16];
            for (col, line) in lines.iter_mut().enumerate().take(cols) {
                // SAFETY: the mask leaves out what is beyond the steps.
                *line = unsafe {
                    let line = source.add((16 * half + col) * stride + step);
                    prefetch(line.wrapping_add(ELEMENTS_AHEAD));
                    _mm512_maskz_loadu_epi32(mask(count), line.cast())
                };
            }
            transpose(&mut lines);
            for (index, line) in lines.into_iter().enumerate().take(count) {
                // SAFETY: `step + index < steps`.
                unsafe {
                    let target = panel.add((step + index) * NR + 16 * half);
                    _mm512_storeu_si512(target.cast(), line);
                }
            }
        }
    }
}

/// Transposes a matrix of 16 × 16 elements of 32 bits.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn transpose(lines: &mut [__m512i; 16]) {
    let mut pairs = *lines;
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(lines[2 * i], lines[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(lines[2 * i], lines[2 * i + 1]);
    }
    let mut quads = pairs;
    for i in (0..16).step_by(4) {
        quads[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        quads[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
        quads[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        quads[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    // Lane l of quads[4g + c] is column 4l + c of the rows 4g .. 4g + 4.
    for c in 0..4 {
        let even_low = _mm512_shuffle_i32x4::<0x88>(quads[c], quads[4 + c]);
        let odd_low = _mm512_shuffle_i32x4::<0xdd>(quads[c], quads[4 + c]);
        let even_high = _mm512_shuffle_i32x4::<0x88>(quads[8 + c], quads[12 + c]);
        let odd_high = _mm512_shuffle_i32x4::<0xdd>(quads[8 + c], quads[12 + c]);
        lines[c] = _mm512_shuffle_i32x4::<0x88>(even_low, even_high);
        lines[8 + c] = _mm512_shuffle_i32x4::<0xdd>(even_low, even_high);
        lines[4 + c] = _mm512_shuffle_i32x4::<0x88>(odd_low, odd_high);
        lines[12 + c] = _mm512_shuffle_i32x4::<0xdd>(odd_low, odd_high);
    }
}
