/// In which numbers the large matrix products are computed. Everything else (weights, activations
/// between operations, norms, softmax, gradients, optimizer) is f32 in either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32 throughout.
    #[default]
    F32,
    /// Operands rounded to bf16 (8 bits of mantissa), sums in f32: what torch's
    /// `autocast("cpu", bfloat16)` does to linear layers.
    Bf16,
}

impl Precision {
    /// Whether this processor multiplies bf16 faster than f32: with AMX-BF16, or with AMD's
    /// AVX512-BF16. On others the results are the same up to the order of sums, and no faster.
    pub fn bf16_is_fast() -> bool {
        #[cfg(all(target_arch = "x86_64", feature = "flex"))]
        return crate::matmul::bf16_is_fast();
        #[cfg(not(all(target_arch = "x86_64", feature = "flex")))]
        return false;
    }
}
