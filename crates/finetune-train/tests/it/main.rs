//! Runs with the library alone: the files of a session, resuming, and how runs end; masks; and the order of
//! the crate's modules.
#![allow(clippy::unwrap_used, clippy::panic)]

mod arrows;
mod distilled;
mod ends;
#[cfg(feature = "wgpu")]
mod gpu;
mod kit;
mod learning_rates;
mod masks;
mod pretraining;
mod reserved;
mod resumed;
mod whole;
