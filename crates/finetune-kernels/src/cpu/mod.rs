//! The arithmetic of the CPU backend: functions of slices, which know nothing of Burn.
//!
//! What a function computes is the same for any number of threads. The last bits may differ between
//! processors, because one with fused multiply-add rounds less often.

#[cfg(feature = "flex")]
pub(crate) mod activation;
#[cfg(feature = "flex")]
pub(crate) mod adafactor;
#[cfg(feature = "flex")]
pub(crate) mod adam;
#[cfg(feature = "flex")]
pub(crate) mod attention;
#[cfg(feature = "flex")]
pub(crate) mod average;
pub(crate) mod dropout;
#[cfg(feature = "flex")]
pub(crate) mod embedding;
#[cfg(feature = "flex")]
mod math;
mod multiversion;
#[cfg(feature = "flex")]
pub(crate) mod norm;
#[cfg(feature = "flex")]
pub(crate) mod sgd;
#[cfg(feature = "flex")]
mod softmax;
#[cfg(feature = "flex")]
pub(crate) mod squares;
#[cfg(feature = "flex")]
mod sum;
