//! Tiles of 32 × 32 with operands in bf16 and sums in f32, on the matrix unit of Intel's processors
//! (AMX-BF16): each instruction multiplies 16 × 32 by 32 × 16 elements. Rust has no stable
//! intrinsics for it, so the instructions are written in assembly.

use std::arch::{asm, x86_64::*};

use super::{
    super::{
        Matrix,
        kernel::{Kernel, Left, Tile},
        pack::fetch,
    },
    avx512::transpose,
    bf16::{self, Avx512Bf16, KC, rounded},
};

/// Two tile registers of 16 rows, and two of 16 columns.
const MR: usize = 32;
const NR: usize = super::avx512::NR;
/// Number of steps per instruction.
const STEPS: usize = 32;

/// The kernel for processors with AMX-BF16.
pub(crate) struct Amx;

impl Amx {
    pub(crate) fn is_available() -> bool {
        #[cfg(target_os = "linux")]
        {
            static IS_AVAILABLE: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| {
                Avx512Bf16::is_available() && is_there() && permitted()
            });
            *IS_AVAILABLE
        }
        #[cfg(not(target_os = "linux"))]
        false
    }
}

/// Returns whether the processor has the unit.
#[cfg(target_os = "linux")]
fn is_there() -> bool {
    const BF16: u32 = 1 << 22;
    const TILE: u32 = 1 << 24;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & (BF16 | TILE) == BF16 | TILE
}

/// Requests the tile registers from the system, which grants them to a process only on request.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: usize = 158;
    const REQUEST_PERMISSION: usize = 0x1023;
    const TILE_DATA: usize = 18;
    let mut result = ARCH_PRCTL;
    // SAFETY: the call takes integers and changes the process's permissions only; the kernel overwrites two
    // registers.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") result,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// The operand of `ldtilecfg`: palette 1, with all eight tiles of 16 rows and 64 bytes.
#[repr(C, align(64))]
struct TileConfiguration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static TILES: TileConfiguration = TileConfiguration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

impl Kernel for Amx {
    /// The bits of a bf16.
    type Element = u16;
    const MR: usize = MR;
    const NR: usize = NR;
    const KC: usize = KC;
    const PAD: usize = STEPS;

    /// Packs row-major and transposed matrices into `[rows][KC]`, padded with zeros.
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
                false => bf16::pack_left_rows(panel, source, a.stride, rows, steps),
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
        Avx512Bf16::pack_right(panel, b, col, cols, step, steps);
        let packed = steps.next_multiple_of(2) * NR;
        panel[packed..steps.next_multiple_of(STEPS) * NR].fill(0);
    }

    fn begin() {
        // SAFETY: the processor has the unit (the kernel's condition) and the process may use it;
        // the configuration is one that the instruction takes.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const TILES, options(nostack, readonly, preserves_flags));
        }
    }

    fn end() {
        // SAFETY: as in `begin`.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) }
    }

    unsafe fn multiply(left: Left<'_, u16>, right: &[u16], steps: usize, tile: &Tile<'_>) {
        let (left, blocks) = (left.elements, steps.div_ceil(STEPS));
        assert!(left.len() >= MR * KC && right.len() >= blocks * STEPS * NR && blocks > 0);
        assert!(tile.is_within(MR, NR) && steps <= KC);
        let (a, b) = (left.as_ptr(), right.as_ptr());
        // SAFETY: the panels are as long as they must be by the assertions, and the tile is writable by
        // the caller's promise. Incomplete tiles are computed in separate memory.
        unsafe {
            let row =
                |row| std::slice::from_raw_parts_mut(tile.start.add(row * tile.stride), tile.cols);
            if tile.rows == MR && tile.cols == NR {
                if let Some(bias) = tile.bias {
                    (0..MR).for_each(|index| start_with(row(index), bias, tile.accumulate));
                }
                let stride = tile.stride * size_of::<f32>();
                let is_started = tile.accumulate || tile.bias.is_some();
                multiply(blocks, a, b, tile.start, stride, is_started);
                return;
            }
            let mut sums = [[0.0f32; NR]; MR];
            for (index, sums) in sums.iter_mut().enumerate().take(tile.rows) {
                let sums = &mut sums[..tile.cols];
                if tile.accumulate {
                    sums.copy_from_slice(row(index));
                }
                if let Some(bias) = tile.bias {
                    start_with(sums, bias, tile.accumulate);
                }
            }
            let (start, stride) = (sums.as_mut_ptr().cast(), size_of_val(&sums[0]));
            match tile.rows {
                0..=16 => multiply_half(blocks, a, b, start, stride),
                _ => multiply(blocks, a, b, start, stride, true),
            }
            for (index, sums) in sums.iter().enumerate().take(tile.rows) {
                row(index).copy_from_slice(&sums[..tile.cols]);
            }
        }
    }
}

/// Writes a bias to the sums, or adds it to them.
fn start_with(sums: &mut [f32], bias: &[f32], accumulate: bool) {
    for (sum, &bias) in sums.iter_mut().zip(bias) {
        *sum = if accumulate { *sum + bias } else { bias };
    }
}

/// Distance in bytes between rows of a packed left panel.
const LEFT_STRIDE: usize = KC * size_of::<u16>();
/// Distance in bytes between pairs of steps in a packed right panel.
const RIGHT_STRIDE: usize = 2 * NR * size_of::<u16>();

/// Computes 32 × 32 sums of `blocks` blocks of 32 steps. Their rows start `stride` bytes apart. They
/// are added to the memory's contents if `accumulate`.
///
/// # Safety
/// AMX-BF16 with [`TILES`]; `a` and `b` readable for the blocks, `c` readable and writable.
unsafe fn multiply(
    blocks: usize,
    a: *const u16,
    b: *const u16,
    c: *mut f32,
    stride: usize,
    accumulate: bool,
) {
    // SAFETY: the caller's promise. No compiled code uses tile registers.
    unsafe {
        asm!(
            "test {accumulate}, {accumulate}",
            "jnz 3f",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "jmp 2f",
            "3:",
            "tileloadd tmm0, [{upper} + {stride}*1]",
            "tileloadd tmm1, [{upper} + {stride}*1 + 64]",
            "tileloadd tmm2, [{lower} + {stride}*1]",
            "tileloadd tmm3, [{lower} + {stride}*1 + 64]",
            "2:",
            "tileloadd tmm4, [{a} + {a_stride}*1]",
            "tileloadd tmm6, [{b} + {b_stride}*1]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{b} + {b_stride}*1 + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{a} + {a_stride}*1 + {half}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a}, 64",
            "add {b}, {next}",
            "dec {blocks}",
            "jnz 2b",
            "tilestored [{upper} + {stride}*1], tmm0",
            "tilestored [{upper} + {stride}*1 + 64], tmm1",
            "tilestored [{lower} + {stride}*1], tmm2",
            "tilestored [{lower} + {stride}*1 + 64], tmm3",
            accumulate = in(reg) usize::from(accumulate),
            upper = in(reg) c,
            lower = in(reg) c.wrapping_byte_add(16 * stride),
            stride = in(reg) stride,
            a = inout(reg) a => _,
            a_stride = in(reg) LEFT_STRIDE,
            b = inout(reg) b => _,
            b_stride = in(reg) RIGHT_STRIDE,
            blocks = inout(reg) blocks => _,
            half = const 16 * LEFT_STRIDE,
            next = const 16 * RIGHT_STRIDE,
            options(nostack),
        );
    }
}

/// Computes the upper 16 rows of [`multiply`] and adds them to the memory's contents.
///
/// # Safety
/// As for [`multiply`].
unsafe fn multiply_half(blocks: usize, a: *const u16, b: *const u16, c: *mut f32, stride: usize) {
    // SAFETY: the caller's promise. No compiled code uses tile registers.
    unsafe {
        asm!(
            "tileloadd tmm0, [{c} + {stride}*1]",
            "tileloadd tmm1, [{c} + {stride}*1 + 64]",
            "2:",
            "tileloadd tmm4, [{a} + {a_stride}*1]",
            "tileloadd tmm6, [{b} + {b_stride}*1]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{b} + {b_stride}*1 + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "add {a}, 64",
            "add {b}, {next}",
            "dec {blocks}",
            "jnz 2b",
            "tilestored [{c} + {stride}*1], tmm0",
            "tilestored [{c} + {stride}*1 + 64], tmm1",
            c = in(reg) c,
            stride = in(reg) stride,
            a = inout(reg) a => _,
            a_stride = in(reg) LEFT_STRIDE,
            b = inout(reg) b => _,
            b_stride = in(reg) RIGHT_STRIDE,
            blocks = inout(reg) blocks => _,
            next = const 16 * RIGHT_STRIDE,
            options(nostack),
        );
    }
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
    for first in (0..rows).step_by(16) {
        let rows = (rows - first).min(16);
        for step in (0..steps).step_by(STEPS) {
            let mut pairs = [_mm512_setzero_si512(); 16];
            for (pair, elements) in pairs.iter_mut().enumerate() {
                let count = |step: usize| if step < steps { rows } else { 0 };
                let step = step + 2 * pair;
                // SAFETY: the caller's promise; the masks leave out missing steps and rows.
                *elements = unsafe {
                    let line = source.wrapping_add(step * stride + first);
                    fetch(line.wrapping_add(STEPS * stride));
                    fetch(line.wrapping_add((STEPS + 1) * stride));
                    let next = line.wrapping_add(stride);
                    bf16::interleaved(rounded(line, count(step), next, count(step + 1)))
                };
            }
            transpose(&mut pairs);
            for (row, elements) in pairs.into_iter().enumerate().take(rows) {
                // SAFETY: `first + row < rows` and `step + 32 <= KC`.
                unsafe {
                    let target = panel.add((first + row) * KC + step);
                    _mm512_storeu_si512(target.cast(), elements);
                }
            }
        }
    }
}
