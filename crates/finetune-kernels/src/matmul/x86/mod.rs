//! Kernels for the instruction sets of x86-64 beyond AVX2.

pub(super) mod amx;
pub(super) mod avx512;
pub(super) mod bf16;
