//! Each backend's implementations of the operations and of the traits in `ops/`.

#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
#[cfg(feature = "ndarray")]
mod ndarray;
pub(crate) mod portable;
