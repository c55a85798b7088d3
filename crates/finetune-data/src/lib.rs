#![doc = include_str!("../README.md")]

mod column;
mod columns;
mod dataset;
mod discover;
mod error;
mod permutation;
mod row_set;
mod source;
mod split;
mod split_expr;

pub use columns::Columns;
pub use dataset::Dataset;
pub use error::{Error, Place, Result};
pub use permutation::Permutation;
pub use split::{RowBatch, Split};
