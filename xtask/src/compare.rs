//! `cargo xtask compare`: a small comparison on the project's own data, or any other.

use std::process::{Command, ExitStatus};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::datasets::Catalog;
use crate::{binary, workspace};

/// The description, its data set, and where its runs go, from the root of the workspace.
const DESCRIPTION: &str = "xtask/compare.toml";
const DATA: &str = "movie_reviews";
const OUTPUT: &str = "runs/compare";

/// Builds the binary and the data set, and compares.
///
/// # Errors
/// Fails if something cannot be built or started.
pub fn compare(arguments: &[std::ffi::OsString]) -> Result<ExitStatus> {
    let program = binary::build("finetune", &[])?;
    Catalog::new(workspace::datasets()).build(DATA, false)?;
    // The binary receives Ctrl-C too and ends in its own way.
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::default())
        .context("cannot ignore Ctrl-C")?;
    Command::new(&program)
        .current_dir(workspace::root())
        .args(["compare", DESCRIPTION, "--output", OUTPUT])
        .args(arguments)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))
}
