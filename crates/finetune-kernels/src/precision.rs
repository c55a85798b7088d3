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
    /// Whether this processor multiplies bf16 faster than f32 (AVX512-BF16). On others the operands
    /// are rounded and multiplied in f32: the same results up to the order of sums, no faster.
    pub fn bf16_is_fast() -> bool {
        #[cfg(target_arch = "x86_64")]
        return std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512bf16");
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }
}
