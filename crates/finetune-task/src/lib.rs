#![doc = include_str!("../README.md")]

mod labels;
mod problem_type;
mod targets;
mod task;

pub use labels::Labels;
pub use problem_type::{ProblemType, UnknownProblemType};
pub use targets::Targets;
pub use task::Task;
