//! How the plan's types are stored in `plan.toml`, which writes 0 or "" for unset values, and uses two
//! keys for a choice between two settings.

use std::num::{NonZeroU64, NonZeroUsize};

use finetune_data::BatchSize;

use crate::OptimizationPlan;

/// A value that the plan's file stores as `File`: under one key, or as a tuple under several.
pub(crate) trait Stored<File>: Sized {
    /// Converts the value to its stored form.
    fn into_file(self) -> File;

    /// Converts the stored form under `keys` back, or says what is wrong with it.
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

/// A key that some plans leave out: its default is meant.
impl<T: Default> Stored<Option<T>> for T {
    fn into_file(self) -> Option<T> {
        Some(self)
    }

    fn from_file(file: Option<T>, _: &[&str]) -> Result<Self, String> {
        Ok(file.unwrap_or_default())
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

/// `batch_size`, and `batch_tokens`, which overrides it unless it is 0.
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
