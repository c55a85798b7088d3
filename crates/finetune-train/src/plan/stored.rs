//! How values of the plan's types stand in `plan.toml`, which has 0 or "" for what is not set, and two
//! keys for what is one of two things.

use std::num::{NonZeroU64, NonZeroUsize};

use finetune_data::BatchSize;

use crate::OptimizationPlan;

/// A value that stands in the plan's file as `File`: under one key, or a tuple of values under as many.
pub(crate) trait Stored<File>: Sized {
    /// As it is written.
    fn into_file(self) -> File;

    /// As it was written under `keys`; or what is wrong with them.
    fn from_file(file: File, keys: &[&str]) -> Result<Self, String>;
}

impl<T> Stored<T> for T {
    fn into_file(self) -> T {
        self
    }

    fn from_file(file: T, _: &[&str]) -> Result<T, String> {
        Ok(file)
    }
}

impl Stored<String> for Option<String> {
    fn into_file(self) -> String {
        self.unwrap_or_default()
    }

    fn from_file(file: String, _: &[&str]) -> Result<Self, String> {
        Ok(Some(file).filter(|text| !text.is_empty()))
    }
}

impl Stored<u64> for Option<NonZeroU64> {
    fn into_file(self) -> u64 {
        self.map_or(0, NonZeroU64::get)
    }

    fn from_file(file: u64, _: &[&str]) -> Result<Self, String> {
        Ok(NonZeroU64::new(file))
    }
}

impl Stored<usize> for Option<NonZeroUsize> {
    fn into_file(self) -> usize {
        self.map_or(0, NonZeroUsize::get)
    }

    fn from_file(file: usize, _: &[&str]) -> Result<Self, String> {
        Ok(NonZeroUsize::new(file))
    }
}

impl Stored<f64> for Option<f64> {
    fn into_file(self) -> f64 {
        self.unwrap_or(0.0)
    }

    fn from_file(file: f64, _: &[&str]) -> Result<Self, String> {
        Ok(Some(file).filter(|&number| number != 0.0))
    }
}

/// `batch_size`, and `batch_tokens`, which counts unless it is 0.
impl Stored<(usize, usize)> for BatchSize {
    fn into_file(self) -> (usize, usize) {
        match self {
            Self::Rows(rows) => (rows, 0),
            Self::Tokens(tokens) => (OptimizationPlan::BATCH_ROWS, tokens),
        }
    }

    fn from_file((rows, tokens): (usize, usize), _: &[&str]) -> Result<Self, String> {
        Ok(match tokens {
            0 => Self::Rows(rows),
            _ => Self::Tokens(tokens),
        })
    }
}
