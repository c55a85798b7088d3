//! Tiles of 12 × 32 with operands in bf16 and sums in f32, with AVX512-BF16: each instruction adds two
//! products to each of 16 sums.

use std::arch::x86_64::*;

use super::{
    super::{
        Matrix,
        kernel::{Kernel, Left, Tile},
        pack::{LINES_AHEAD, fetch, fetch_far},
    },
    avx512::{
        AHEAD, ELEMENTS_AHEAD, MR, NR, by_rows_of_tile, finish_streaming, first_sums, mask,
        prefetch, store, transpose,
    },
};
use crate::processor::Limit;

pub(super) const KC: usize = 768;
/// Number of elements of a line that are prefetched while packing along it.
const LINE_AHEAD: usize = 256;

/// The kernel for processors with AVX512-BF16.
pub(crate) struct Avx512Bf16;

impl Avx512Bf16 {
    pub(crate) fn is_available() -> bool {
        Limit::of_process() == Limit::Everything
            && std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512bf16")
    }

    /// Returns whether the kernel is faster than the one for f32. AMD's Zen 4 and 5 execute its
    /// instructions at the rate of those for f32, and each does twice the work. On Intel's Emerald
    /// Rapids, a training step took 1.4 times as long as in f32.
    pub(crate) fn is_fast() -> bool {
        let vendor = __cpuid(0);
        let name = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
        Self::is_available() && name.as_flattened() == b"AuthenticAMD"
    }
}

impl Kernel for Avx512Bf16 {
    /// The bits of a bf16.
    type Element = u16;
    const MR: usize = MR;
    const NR: usize = NR;
    const KC: usize = KC;
    const PAD: usize = 2;

    fn pack_left(
        panel: &mut [u16],
        a: Matrix<'_>,
        row: usize,
        rows: usize,
        step: usize,
        steps: usize,
    ) {
        assert!(panel.len() >= MR * KC && rows <= MR && steps <= KC);
        let source = a.part([row, rows], [step, steps]);
        let (panel, source) = (panel.as_mut_ptr(), source.as_ptr());
        // SAFETY: the processor has AVX512-BF16 (the kernel's condition); reads stay inside
        // `source` and writes inside `panel` by the assertions.
        unsafe {
            match a.transposed {
                true => pack_left_transposed(panel, source, a.stride, rows, steps),
                false => pack_left_rows(panel, source, a.stride, rows, steps),
            }
        }
    }

    fn pack_right(
        panel: &mut [u16],
        b: Matrix<'_>,
        col: usize,
        cols: usize,
        step: usize,
        steps: usize,
    ) {
        assert!(panel.len() >= steps.next_multiple_of(2) * NR && cols <= NR);
        let source = b.part([step, steps], [col, cols]);
        let (panel, source) = (panel.as_mut_ptr(), source.as_ptr());
        // SAFETY: as in `pack_left`.
        unsafe {
            match b.transposed {
                true => pack_right_transposed(panel, source, b.stride, cols, steps),
                false => pack_right_rows(panel, source, b.stride, cols, steps),
            }
        }
    }

    unsafe fn multiply(left: Left<'_, u16>, right: &[u16], steps: usize, tile: &Tile<'_>) {
        let even = steps.next_multiple_of(2);
        assert!(right.len() >= even * NR && tile.is_within(MR, NR) && steps <= KC);
        let (a, b) = (left.elements.as_ptr().cast(), right.as_ptr().cast());
        let length = left.elements.len();
        // SAFETY: the caller's promises; the panels are as long as they must be by the assertions.
        unsafe {
            if left.transposed {
                assert!(left.stride == MR && length >= even * MR);
                by_rows_of_tile!(tile.rows, multiply, true, (even / 2, a, b, tile));
            } else {
                assert!(left.stride == KC && length >= (tile.rows - 1) * KC + even);
                by_rows_of_tile!(tile.rows, multiply, false, (even / 2, a, b, tile));
            }
        }
    }

    fn finish_streaming() {
        finish_streaming();
    }
}

/// Multiplies `R` rows of pairs of elements that are `KC / 2` pairs apart, or, if transposed, pairs of
/// steps that are `MR` apart.
///
/// # Safety
/// AVX512-BF16; `a` and `b` readable for `pairs`, the tile writable.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn multiply<const R: usize, const TRANSPOSED: bool>(
    pairs: usize,
    a: *const i32,
    b: *const f32,
    tile: &Tile<'_>,
) {
    let (from_row, from_pair) = if TRANSPOSED { (1, MR) } else { (KC / 2, 1) };
    let mut sums = [first_sums(tile); R];
    for pair in 0..pairs {
        // SAFETY: the caller's promise; a vector of bf16 has the bits of a vector of pairs. A
        // prefetch beyond the panel reads nothing.
        unsafe {
            let (a, b) = (a.add(pair * from_pair), b.add(pair * NR));
            let right: [__m512bh; 2] = [
                std::mem::transmute::<__m512, __m512bh>(_mm512_loadu_ps(b)),
                std::mem::transmute::<__m512, __m512bh>(_mm512_loadu_ps(b.add(16))),
            ];
            prefetch(b.wrapping_add(AHEAD * NR));
            fetch_far(tile.ahead.line(2 * pair));
            for (row, sums) in sums.iter_mut().enumerate() {
                let left = _mm512_set1_epi32(a.add(row * from_row).read_unaligned());
                let left = std::mem::transmute::<__m512i, __m512bh>(left);
                sums[0] = _mm512_dpbf16_ps(sums[0], left, right[0]);
                sums[1] = _mm512_dpbf16_ps(sums[1], left, right[1]);
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe { store(sums, tile) }
}

/// Loads and rounds the first `low_count` of 16 elements at `low` and the first `high_count` of 16 at
/// `high`, in this order.
///
/// # Safety
/// AVX512-BF16; the line readable where the masks say.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
pub(super) unsafe fn rounded(
    low: *const f32,
    low_count: usize,
    high: *const f32,
    high_count: usize,
) -> __m512i {
    // SAFETY: the caller's promise; the masks leave out the rest. The types have the same bits.
    unsafe {
        let low = _mm512_maskz_loadu_ps(mask(low_count), low);
        let high = _mm512_maskz_loadu_ps(mask(high_count), high);
        std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))
    }
}

/// Packs rows of a matrix whose lines are rows.
///
/// # Safety
/// AVX512-BF16; `source` readable for `rows` lines of `steps`, `panel` writable for `MR · KC`.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn pack_left_rows(
    panel: *mut u16,
    source: *const f32,
    stride: usize,
    rows: usize,
    steps: usize,
) {
    for row in 0..rows {
        for step in (0..steps).step_by(32) {
            let count = steps - step;
            // SAFETY: the caller's promise; the masks leave out what is beyond the steps, for which
            // zeros are written: `KC` is a multiple of 32.
            unsafe {
                let line = source.add(row * stride + step);
                prefetch(line.wrapping_add(LINE_AHEAD));
                let high = line.wrapping_add(16);
                let elements = rounded(line, count, high, count.saturating_sub(16));
                let target = panel.add(row * KC + step);
                _mm512_storeu_si512(target.cast(), elements);
            }
        }
    }
}

/// Interleaves two lines of 16 elements into pairs.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn interleaved(lines: __m512i) -> __m512i {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut lane = 0;
        while lane < 16 {
            order[2 * lane] = lane as u16;
            order[2 * lane + 1] = 16 + lane as u16;
            lane += 1;
        }
        order
    };
    // SAFETY: 64 bytes of a constant.
    let order = unsafe { _mm512_loadu_si512(ORDER.as_ptr().cast()) };
    _mm512_permutexvar_epi16(order, lines)
}

/// Packs rows of a matrix whose lines are steps.
///
/// # Safety
/// AVX512-BF16; `source` readable for `steps` lines of `rows`, `panel` writable for `MR · KC`.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pack_left_transposed(
    panel: *mut u16,
    source: *const f32,
    stride: usize,
    rows: usize,
    steps: usize,
) {
    for step in (0..steps).step_by(2) {
        let second = if step + 1 < steps { rows } else { 0 };
        // SAFETY: the caller's promise; the masks leave out a missing step and missing rows.
        unsafe {
            let line = source.add(step * stride);
            let ahead = line.wrapping_add(LINES_AHEAD * stride);
            fetch(ahead);
            fetch(ahead.wrapping_add(stride));
            let elements = interleaved(rounded(line, rows, line.wrapping_add(stride), second));
            let target = panel.add(step * MR);
            _mm512_mask_storeu_epi32(target.cast(), mask(MR), elements);
        }
    }
}

/// Packs columns of a matrix whose lines are steps.
///
/// # Safety
/// AVX512-BF16; `source` readable for `steps` lines of `cols`, `panel` writable for `steps · NR`,
/// rounded up to pairs.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pack_right_rows(
    panel: *mut u16,
    source: *const f32,
    stride: usize,
    cols: usize,
    steps: usize,
) {
    for step in (0..steps).step_by(2) {
        for half in 0..2 {
            let cols = cols.saturating_sub(16 * half);
            let second = if step + 1 < steps { cols } else { 0 };
            // SAFETY: as in `pack_left_transposed`. A prefetch beyond the matrix reads nothing.
            unsafe {
                let line = source.add(step * stride).wrapping_add(16 * half);
                let ahead = line.wrapping_add(LINES_AHEAD * stride);
                fetch(ahead);
                fetch(ahead.wrapping_add(stride));
                let elements = interleaved(rounded(line, cols, line.wrapping_add(stride), second));
                let target = panel.add(step * NR + 32 * half);
                _mm512_storeu_si512(target.cast(), elements);
            }
        }
    }
}

/// Packs columns of a matrix whose lines are columns.
///
/// # Safety
/// AVX512-BF16; `source` readable for `cols` lines of `steps`, `panel` writable for `steps · NR`,
/// rounded up to pairs.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pack_right_transposed(
    panel: *mut u16,
    source: *const f32,
    stride: usize,
    cols: usize,
    steps: usize,
) {
    for half in 0..2 {
        let cols = cols.saturating_sub(16 * half).min(16);
        for step in (0..steps).step_by(32) {
            let count = steps - step;
            let mut lines = [_mm512_setzero_si512(); 16];
            for (col, line) in lines.iter_mut().enumerate().take(cols) {
                // SAFETY: the caller's promise; the masks leave out what is beyond the steps.
                *line = unsafe {
                    let line = source.add((16 * half + col) * stride + step);
                    prefetch(line.wrapping_add(ELEMENTS_AHEAD));
                    let high = line.wrapping_add(16);
                    rounded(line, count, high, count.saturating_sub(16))
                };
            }
            transpose(&mut lines);
            let pairs = count.min(32).div_ceil(2);
            for (index, line) in lines.into_iter().enumerate().take(pairs) {
                // SAFETY: `step + 2 · index < steps`.
                unsafe {
                    let target = panel.add((step + 2 * index) * NR + 32 * half);
                    _mm512_storeu_si512(target.cast(), line);
                }
            }
        }
    }
}
