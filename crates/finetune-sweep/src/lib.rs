#![doc = include_str!("../README.md")]

pub mod description;
pub mod directory;
mod draws;
pub mod importance;
pub mod merge;
pub mod outcome;
pub mod progress;
mod shard;
mod sweeper;
mod trial;
mod verdict;

pub use description::Sweep;
pub use directory::SweepDirectory;
pub use finetune_compare::CompareError;
pub use outcome::Outcome;
pub use progress::{Budget, Evaluation, RunProgress, TrialState};
pub use shard::Shard;
pub use sweeper::{Stopped, Sweeper};
pub use trial::Trial;
pub use verdict::Verdict;
