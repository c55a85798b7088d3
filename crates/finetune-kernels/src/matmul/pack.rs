//! Packs f32 operands whose elements are already in the order of a panel.

use super::Matrix;

/// Number of lines of a matrix that are prefetched while packing across them: hardware prefetching
/// stops at the end of a page.
pub(super) const LINES_AHEAD: usize = 16;

/// See [`Kernel::pack_left`](super::kernel::Kernel::pack_left), with steps of 1. The two
/// slices passed to `copy` have the same length.
pub(super) fn left<const MR: usize, const KC: usize>(
    panel: &mut [f32],
    a: Matrix<'_>,
    [row, rows]: [usize; 2],
    [step, steps]: [usize; 2],
    copy: impl Fn(&mut [f32], &[f32]),
) {
    if a.transposed {
        for (index, target) in panel.chunks_exact_mut(MR).take(steps).enumerate() {
            let source = &a.data[(step + index) * a.stride + row..][..rows];
            line::<MR>(target, source, &copy);
        }
    } else {
        for (index, target) in panel.chunks_exact_mut(KC).take(rows).enumerate() {
            let source = &a.data[(row + index) * a.stride + step..][..steps];
            copy(&mut target[..steps], source);
        }
    }
}

/// Returns whether the rows of a matrix can be read in place: they must not all map to the same cache
/// sets.
pub(super) fn is_in_place(a: Matrix<'_>) -> bool {
    const PAGE: usize = 1024;
    !a.transposed && !a.stride.is_multiple_of(PAGE)
}

/// See [`Kernel::pack_right`](super::kernel::Kernel::pack_right), with steps of 1, of a matrix that
/// is not transposed.
pub(super) fn right_rows<const NR: usize>(
    panel: &mut [f32],
    b: Matrix<'_>,
    [col, cols]: [usize; 2],
    [step, steps]: [usize; 2],
    copy: impl Fn(&mut [f32], &[f32]),
) {
    for (index, target) in panel.chunks_exact_mut(NR).take(steps).enumerate() {
        let start = (step + index) * b.stride + col;
        for element in (0..NR).step_by(16) {
            let line = b.data.as_ptr().wrapping_add(start + element);
            fetch(line.wrapping_add(LINES_AHEAD * b.stride));
        }
        let source = &b.data[start..][..cols];
        line::<NR>(target, source, &copy);
        target[cols..].fill(0.0);
    }
}

/// Prefetches a cache line into the L1 cache. An address outside the memory does no harm.
#[inline(always)]
pub(super) fn fetch(line: *const f32) {
    fetch_into::<false>(line);
}

/// Prefetches a cache line into the L2 cache.
#[inline(always)]
pub(super) fn fetch_far(line: *const f32) {
    fetch_into::<true>(line);
}

#[inline(always)]
fn fetch_into<const L2: bool>(line: *const f32) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: every x86-64 processor has the instruction, which reads nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        match L2 {
            true => _mm_prefetch::<_MM_HINT_T1>(line.cast()),
            false => _mm_prefetch::<_MM_HINT_T0>(line.cast()),
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = line;
}

/// Copies to the start of a line of `N` elements. The compiler knows the length of a complete line.
fn line<const N: usize>(target: &mut [f32], source: &[f32], copy: &impl Fn(&mut [f32], &[f32])) {
    match <&[f32; N]>::try_from(source) {
        Ok(source) => copy(&mut target[..N], source),
        Err(_) => copy(&mut target[..source.len()], source),
    }
}
