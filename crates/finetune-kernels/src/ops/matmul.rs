//! The settings of matrix multiplications.

use std::{fmt, time::Duration};

/// The precision of the large matrix multiplications. Everything else (weights, activations between
/// operations, norms, softmax, gradients, optimizer) is always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32 throughout.
    #[default]
    F32,
    /// Operands are rounded to TF32 (10 bits of mantissa) on the tensor cores of a GPU and accumulated in f32. A
    /// device without them computes in f32.
    Tf32,
    /// Operands are rounded to bf16 (8 bits of mantissa) and accumulated in f32, as torch's
    /// `autocast("cpu", bfloat16)` does in linear layers.
    Bf16,
}

impl Precision {
    /// Returns the instruction set of the CPU by which matrices are multiplied, such as `AVX-512`; `baseline` is
    /// that of the architecture.
    #[cfg(feature = "flex")]
    pub fn instruction_set(self) -> &'static str {
        crate::matmul::instruction_set(self)
    }

    /// Returns whether this processor multiplies bf16 faster than f32: with AMX-BF16, or with AMD's
    /// AVX512-BF16. On other processors the results are the same up to the order of sums, but not
    /// faster.
    pub fn bf16_is_fast() -> bool {
        #[cfg(all(target_arch = "x86_64", feature = "flex"))]
        return crate::matmul::bf16_is_fast();
        #[cfg(not(all(target_arch = "x86_64", feature = "flex")))]
        return false;
    }
}

/// How a layer multiplies by its weight.
#[derive(Clone, Debug, Default)]
pub struct MatmulOptions {
    /// The precision of the operands.
    pub precision: Precision,
    /// The cache for the weight in the layout of the processor's kernel. It is only for a weight that
    /// does not change: the weight stays in memory as long as its packed forms do.
    pub packed: Option<PackedWeight>,
}

impl From<Precision> for MatmulOptions {
    fn from(precision: Precision) -> Self {
        Self {
            precision,
            packed: None,
        }
    }
}

/// A cache for the packed forms of a weight, for the forward and the backward pass, initially empty and
/// shared by clones. Backends that do not pack leave it empty.
#[derive(Clone, Default)]
pub struct PackedWeight {
    #[cfg(feature = "flex")]
    pub(crate) slot: std::sync::Arc<std::sync::Mutex<Option<crate::backends::flex::PackedForms>>>,
}

impl fmt::Debug for PackedWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PackedWeight")
    }
}

/// Returns the time spent in the matrix multiplications of linear layers and their gradients in this
/// process on the CPU backend, including the packing of operands but not the multiplications inside
/// attention.
pub fn time_in_matmul() -> Duration {
    #[cfg(feature = "flex")]
    let time = crate::matmul::total_time();
    #[cfg(not(feature = "flex"))]
    let time = Duration::ZERO;
    time
}
