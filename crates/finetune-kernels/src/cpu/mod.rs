//! The arithmetic of the CPU's bodies: functions of slices, which know nothing of Burn.
//!
//! What a function computes is the same for any number of threads; the last bits may differ between
//! processors (a processor with fused multiply-add rounds less often).

#[cfg(feature = "flex")]
pub(crate) mod activation;
#[cfg(feature = "flex")]
mod math;
pub(crate) mod dropout;
mod multiversion;
