//! Automation of the workspace, run as `cargo xtask COMMAND`. The tests use parts of it as a
//! library: data sets, toy data, and the DistilBERT checkpoint converted from MiniLM.

pub mod binary;
pub mod checks;
pub mod compare;
pub mod datasets;
pub mod fixtures;
pub mod gpu_check;
pub mod lab;
pub mod memory;
pub mod parity;
pub mod python;
pub mod random_model;
#[cfg(unix)]
pub mod storm;
pub mod table;
pub mod train;
pub mod venv;
pub mod workspace;
