//! Heads: what makes predictions of the encoder's result.

mod classification;

pub use classification::Head;
