//! Heads, which turn the encoder's output into predictions.

mod classification;

pub use classification::Head;
