//! Builds the `finetune` binary and runs it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use std::sync::Arc;

use anyhow::{Context, Result, bail};
pub use finetune_compare::runner::exit_code;
use serde_json::Value;

use crate::workspace;

/// Builds a release binary of the workspace with these Cargo features of `finetune` and returns its
/// path. Cargo's own progress goes to standard error.
///
/// # Errors
/// Fails if the build fails.
pub fn build(name: &str, features: &[&str]) -> Result<PathBuf> {
    let mut command = workspace::cargo();
    // `--workspace` rather than `-p finetune`, because Cargo unifies the features of all selected
    // packages: only with the same selection does `cargo test --workspace` find every dependency
    // compiled.
    command.args(["build", "--release", "--workspace", "--bin", name]);
    for feature in features {
        command.arg("--features").arg(format!("finetune/{feature}"));
    }
    // Cargo itself reports where the binary is, whatever target directory and target are
    // configured.
    command.arg("--message-format=json-render-diagnostics");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let mut executable = None;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.context("cannot read what cargo writes")?;
            executable = executable_in(&line, name).or(executable);
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() {
        bail!("the build failed ({status}); its messages are above");
    }
    executable.with_context(|| format!("cargo built no binary `{name}`"))
}

/// Returns the binary that one of cargo's JSON messages announces.
fn executable_in(line: &str, name: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let ours = message["reason"] == "compiler-artifact" && message["target"]["name"] == name;
    ours.then(|| message["executable"].as_str().map(PathBuf::from))?
}

/// Runs the binary on this terminal and waits for it. Ctrl-C reaches both processes; the binary
/// handles it, and this one keeps waiting.
///
/// # Errors
/// Fails if the binary cannot be started.
pub fn run<S: AsRef<OsStr>>(binary: &Path, args: &[S]) -> Result<ExitStatus> {
    // The binary receives the signal too and ends in its own way.
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::default())
        .context("cannot ignore Ctrl-C")?;
    Command::new(binary)
        .args(args)
        .status()
        .with_context(|| format!("cannot start {}", binary.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_binary_is_read_from_cargos_messages() {
        let line = r#"{"reason":"compiler-artifact","target":{"name":"finetune","kind":["bin"]},"executable":"/t/release/finetune"}"#;
        assert_eq!(
            executable_in(line, "finetune"),
            Some(PathBuf::from("/t/release/finetune"))
        );
        let library = line.replace("\"/t/release/finetune\"", "null");
        assert_eq!(executable_in(&library, "finetune"), None);
        assert_eq!(
            executable_in(r#"{"reason":"build-finished","success":true}"#, "finetune"),
            None
        );
        assert_eq!(executable_in("not JSON", "finetune"), None);
    }
}
