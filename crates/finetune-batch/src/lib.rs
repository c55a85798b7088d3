#![doc = include_str!("../README.md")]

mod device_forms;
mod indices;
mod masked_tokens;
mod offsets;
mod packed_tokens;
mod used_rows;

pub use device_forms::DeviceForms;
pub use indices::Indices;
pub use masked_tokens::MaskedTokens;
pub use offsets::Offsets;
pub use packed_tokens::PackedTokens;
pub use used_rows::UsedRows;
