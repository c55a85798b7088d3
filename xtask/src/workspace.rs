//! Paths in the checkout, and starting other programs from it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// Returns the root of the workspace, the folder with the virtual `Cargo.toml`.
#[must_use]
pub fn root() -> PathBuf {
    // `cargo run` sets the variable at run time, so a checkout that was moved is still found.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let mine = manifest.ends_with("xtask");
    let manifest = if mine {
        manifest
    } else {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
    };
    manifest
        .parent()
        .map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// Returns the folder that contains one folder per data set.
#[must_use]
pub fn datasets() -> PathBuf {
    root().join("datasets")
}

/// Returns Cargo's target directory for this workspace, respecting `CARGO_TARGET_DIR` and config
/// files.
///
/// # Errors
/// Fails if `cargo metadata` cannot be started or fails.
pub fn target_dir() -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let output = cargo()
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .output()
        .context("cannot start `cargo metadata`")?;
    if !output.status.success() {
        bail!(
            "`cargo metadata` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("`cargo metadata` wrote unexpected JSON")?;
    Ok(metadata.target_directory)
}

/// Returns the cargo that runs this program, to be started in the root of the workspace.
#[must_use]
pub fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    // The outer `cargo run` set these for its own package. A build script that reads them must not
    // see them, or it would be rebuilt needlessly.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        }) {
            command.env_remove(name);
        }
    }
    command
}

/// Returns `path` relative to the current folder where possible, for messages.
#[must_use]
pub fn display(path: &Path) -> String {
    let shown = std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path);
    shown.display().to_string()
}

/// Formats a command line as one would type it, for messages.
pub fn shell_line<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(words: I) -> String {
    let quote = |word: S| {
        let word = word.as_ref().to_string_lossy().into_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_virtual_manifest() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn words_are_quoted_only_when_needed() {
        assert_eq!(
            shell_line(["cargo", "test", "a b", "it's", ""]),
            r"cargo test 'a b' 'it'\''s' ''"
        );
    }
}
