//! Packing of f32 operands whose numbers keep their order, which is that of a panel.

use super::Matrix;

/// See [`Kernel::pack_left`](super::kernel::Kernel::pack_left), with steps of 1. `copy` is given as
/// many numbers to write as to read.
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
        let source = &b.data[(step + index) * b.stride + col..][..cols];
        line::<NR>(target, source, &copy);
        target[cols..].fill(0.0);
    }
}

/// Copies to the start of a line of `N` numbers. A full one has a length that the compiler knows.
fn line<const N: usize>(target: &mut [f32], source: &[f32], copy: &impl Fn(&mut [f32], &[f32])) {
    match <&[f32; N]>::try_from(source) {
        Ok(source) => copy(&mut target[..N], source),
        Err(_) => copy(&mut target[..source.len()], source),
    }
}
