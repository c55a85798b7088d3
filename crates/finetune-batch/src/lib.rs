#![doc = include_str!("../README.md")]

mod device_forms;
mod indices;
mod offsets;
mod packed_tokens;
mod used_rows;

pub use device_forms::DeviceForms;
pub use indices::Indices;
pub use offsets::Offsets;
pub use packed_tokens::PackedTokens;
pub use used_rows::UsedRows;
