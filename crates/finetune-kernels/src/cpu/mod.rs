//! The arithmetic of the CPU backend: functions of slices, which do not depend on Burn.
//!
//! Results are the same for any number of threads. Their last bits may differ between processors,
//! because those with fused multiply-add round less often.

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
#[cfg(feature = "flex")]
pub(crate) mod columns;
pub(crate) mod dropout;
#[cfg(feature = "flex")]
pub(crate) mod embedding;
#[cfg(feature = "flex")]
mod math;
mod multiversion;
#[cfg(feature = "flex")]
pub(crate) mod norm;
#[cfg(feature = "flex")]
pub(crate) mod pooling;
#[cfg(feature = "flex")]
pub(crate) mod sgd;
#[cfg(feature = "flex")]
mod softmax;
#[cfg(feature = "flex")]
pub(crate) mod squares;
#[cfg(feature = "flex")]
mod sum;
#[cfg(feature = "flex")]
pub(crate) mod transfer;
#[cfg(feature = "flex")]
pub(crate) mod vocabulary;
