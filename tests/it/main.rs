//! All tests across crates, in one binary so that they link once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod fixtures;
mod parity;
mod tolerance;
