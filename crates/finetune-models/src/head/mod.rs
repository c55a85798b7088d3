//! Heads, which turn the encoder's output into predictions.

mod classification;
mod masked_lm;

pub use classification::Head;
pub use masked_lm::MaskedLmHead;
