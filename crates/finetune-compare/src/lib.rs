#![doc = include_str!("../README.md")]

pub mod description;
pub mod description_text;
pub mod directory;
mod error;
pub mod name;
pub mod options;
pub mod runner;
pub mod statistics;
pub mod table;

pub use description::{Description, PlannedRun, Variant};
pub use directory::ComparisonDirectory;
pub use error::CompareError;
pub use table::{Comparison, Group, RunFacts};
