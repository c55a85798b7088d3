//! Finds a Python interpreter and runs it, with error messages that a newcomer can act on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace::shell_line;

/// Returns the first of `python3`, `python` and `py` that runs Python 3 with `module`.
///
/// # Errors
/// Fails if none of them does.
pub fn find_with(module: &str) -> Result<PathBuf> {
    let code = format!("import sys, {module}; sys.exit(sys.version_info[0] != 3)");
    let runs = |name: &&'static str| {
        let mut command = Command::new(name);
        command.args(["-c", &code]);
        command.stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    match ["python3", "python", "py"].into_iter().find(runs) {
        Some(name) => Ok(PathBuf::from(name)),
        None => bail!(
            "found no Python 3 with the module `{module}` (tried python3, python and py); install \
             it, for example with `apt install python3-pip python3-venv`"
        ),
    }
}

/// Runs `python ARGS…`, capturing its output for the error message.
///
/// # Errors
/// Fails if it cannot be started or fails; the message includes the end of its output.
pub fn run_quietly<S: AsRef<OsStr>>(python: &Path, args: &[S]) -> Result<()> {
    let line =
        shell_line(std::iter::once(python.as_os_str()).chain(args.iter().map(AsRef::as_ref)));
    let output = Command::new(python)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if output.status.success() {
        return Ok(());
    }
    let wrote = [output.stdout, output.stderr].concat();
    bail!(
        "`{line}` failed ({}):\n{}",
        output.status,
        last_lines(&String::from_utf8_lossy(&wrote), 12)
    );
}

/// Runs `python ARGS…` with its output on the terminal.
///
/// # Errors
/// Fails if it cannot be started or fails.
pub fn run<S: AsRef<OsStr>>(python: &Path, args: &[S]) -> Result<()> {
    run_with_output(python, args, Stdio::inherit())
}

/// Runs `python ARGS…` with all of its output on standard error.
///
/// # Errors
/// Fails if it cannot be started or fails.
pub fn run_aside<S: AsRef<OsStr>>(python: &Path, args: &[S]) -> Result<()> {
    run_with_output(python, args, std::io::stderr().into())
}

fn run_with_output<S: AsRef<OsStr>>(python: &Path, args: &[S], output: Stdio) -> Result<()> {
    let line =
        shell_line(std::iter::once(python.as_os_str()).chain(args.iter().map(AsRef::as_ref)));
    let status = Command::new(python)
        .args(args)
        .stdout(output)
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_output_is_kept() {
        assert_eq!(last_lines("a\n\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }

    #[test]
    fn a_failure_says_what_was_run_and_why() {
        let missing = run_quietly(Path::new("no-such-python"), &["-c", "1"]).unwrap_err();
        assert_eq!(missing.to_string(), "cannot start `no-such-python -c 1`");
        let unknown = find_with("no_such_module").unwrap_err().to_string();
        assert!(unknown.contains("no_such_module"), "{unknown}");
    }
}
