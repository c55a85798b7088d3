//! The file behind a tokenized data set.
//!
//! ```text
//! header   144 bytes, little-endian, see `Header`
//! records  per row: its ids (u16 or u32 each), for pairs its type ids (u8 each), its label: a class
//!          u32, a bit per class, or an f64 per value
//! index    per row: first token u64, row in the source file u64, file number u32; one more entry
//!          ends the last row
//! summary  JSON: class counts, length statistics
//! ```
//!
//! A checksum covers all of it. The file is read by positioned reads rather than mapped: mapped
//! pages that a shuffled epoch touches count as resident memory, and mapping needs `unsafe`.

mod format;
mod reader;
mod writer;

pub(crate) use format::{Layout, VERSION};
pub(crate) use reader::Cache;
pub(crate) use writer::{CacheWriter, WRITE};
