//! Runs commands of `finetune`, each of which is done once, however often the lab is begun.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::binary;
use crate::workspace::{display, shell_line};

/// How much of a failed command's output is shown, in bytes from its end.
const SHOWN: u64 = 2000;

/// What a complete run says about itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// Accuracy on the test rows, if there are any.
    pub(super) accuracy: Option<f64>,
    /// Seconds of training, evaluations of the validation rows included.
    pub(super) seconds: f64,
    /// Share of the parameters that were trained.
    pub(super) trained: f64,
}

/// The lab's folder, and the program that fills it.
pub(super) struct Session {
    pub(super) program: PathBuf,
    pub(super) folder: PathBuf,
    /// Set by Ctrl-C. The running command receives it too, and ends in its own way.
    interrupted: Arc<AtomicBool>,
}

/// How a command ended.
pub(super) enum End {
    Done,
    /// It failed or was stopped, with this exit code.
    Failed(u8),
}

/// What has to be done for a run.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Complete,
    Interrupted,
    New,
}

impl Session {
    /// # Errors
    /// Fails if the system takes no handler for Ctrl-C.
    pub(super) fn new(program: PathBuf, folder: PathBuf) -> Result<Self> {
        let interrupted = Arc::<AtomicBool>::default();
        signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupted))
            .context("cannot handle Ctrl-C")?;
        Ok(Self {
            program,
            folder,
            interrupted,
        })
    }

    /// Makes the folder `name` with this command, unless it is there: the command publishes it whole.
    ///
    /// # Errors
    /// Fails if the command cannot be started.
    pub(super) fn make(&self, name: &str, arguments: &[String]) -> Result<End> {
        match self.folder.join(name).exists() {
            true => Ok(End::Done),
            false => self.command(name, arguments),
        }
    }

    /// Completes the run `name`: with this command, or by resuming it if it was interrupted.
    ///
    /// # Errors
    /// Fails if the command cannot be started.
    pub(super) fn train(&self, name: &str, arguments: &[String]) -> Result<End> {
        let run = self.folder.join(name);
        match state(&run) {
            State::Complete => Ok(End::Done),
            State::Interrupted => self.command(name, &["resume".into(), display(&run)]),
            State::New => self.command(name, arguments),
        }
    }

    /// The results of the run `name`, or `None` if it is not complete.
    ///
    /// # Errors
    /// Fails if its results cannot be read.
    pub(super) fn found(&self, name: &str) -> Result<Option<Found>> {
        let run = self.folder.join(name);
        match state(&run) {
            State::Complete => Found::read(&run).map(Some),
            State::Interrupted | State::New => Ok(None),
        }
    }

    fn command(&self, name: &str, arguments: &[String]) -> Result<End> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Ok(End::Failed(130));
        }
        let program = display(&self.program);
        println!("$ {}", shell_line([&program].into_iter().chain(arguments)));
        let log = self.folder.join(format!("{name}.log"));
        let context = || format!("cannot write {}", display(&log));
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .append(true)
            .read(true)
            .open(&log)
            .with_context(context)?;
        let start = file.seek(SeekFrom::End(0)).with_context(context)?;
        let status = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().with_context(context)?)
            .stderr(file.try_clone().with_context(context)?)
            .status()
            .with_context(|| format!("cannot start {program}"))?;
        if status.success() {
            return Ok(End::Done);
        }
        eprint!("{}", tail(&mut file, start).with_context(context)?);
        eprintln!("all of its output is in {}", display(&log));
        Ok(End::Failed(binary::exit_code(status)))
    }
}

impl Found {
    fn read(run: &Path) -> Result<Self> {
        let path = run.join("results.json");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", display(&path)))?;
        let results: Value = serde_json::from_str(&text).with_context(|| {
            let (path, run) = (display(&path), display(run));
            format!("{path} is damaged; remove {run}, and the lab trains it again")
        })?;
        Self::of(&results).with_context(|| format!("{} lacks a value of the table", display(&path)))
    }

    fn of(results: &Value) -> Option<Self> {
        let accuracy = &results["test"]["accuracy"];
        let parameters = |key: &str| results["parameters"][key].as_f64();
        Some(Self {
            accuracy: accuracy.as_f64().or_else(|| accuracy["value"].as_f64()),
            seconds: results["train"]["seconds"].as_f64()?,
            trained: parameters("trainable")? / parameters("total")?,
        })
    }
}

/// A run writes its results last, and its plan before anything that is worth keeping.
fn state(run: &Path) -> State {
    if run.join("results.json").exists() {
        State::Complete
    } else if run.join("plan.toml").exists() {
        State::Interrupted
    } else {
        State::New
    }
}

/// The end of what was written from `start` on, in whole lines.
fn tail(file: &mut File, start: u64) -> std::io::Result<String> {
    let end = file.metadata()?.len();
    let begin = start.max(end.saturating_sub(SHOWN));
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = match begin > start {
        true => text.split_once('\n').map_or("", |(_, rest)| rest),
        false => &text,
    };
    Ok(whole.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_are_read_from_what_runs_leave() {
        let mut results = json!({
            "train": {"seconds": 2.5},
            "test": {"accuracy": 0.75},
            "parameters": {"total": 200, "trainable": 50},
        });
        let found = Found {
            accuracy: Some(0.75),
            seconds: 2.5,
            trained: 0.25,
        };
        assert_eq!(Found::of(&results), Some(found.clone()));
        results["test"] = Value::Null;
        let accuracy = None;
        assert_eq!(Found::of(&results), Some(Found { accuracy, ..found }));
        results["parameters"] = Value::Null;
        assert_eq!(Found::of(&results), None);
    }

    #[test]
    fn a_run_is_new_interrupted_or_complete() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        assert_eq!(state(&run), State::New);
        fs::create_dir(&run).unwrap();
        assert_eq!(state(&run), State::New);
        fs::write(run.join("plan.toml"), "").unwrap();
        assert_eq!(state(&run), State::Interrupted);
        fs::write(run.join("results.json"), "{}").unwrap();
        assert_eq!(state(&run), State::Complete);
        let error = format!("{:#}", Found::read(&run).unwrap_err());
        assert!(error.contains("results.json lacks a value"), "{error}");
    }

    #[test]
    fn the_end_of_a_log_begins_with_a_whole_line() {
        let mut file = tempfile::tempfile().unwrap();
        let lines: String = (0..1000).map(|line| format!("line {line}\n")).collect();
        std::io::Write::write_all(&mut file, lines.as_bytes()).unwrap();
        let shown = tail(&mut file, 0).unwrap();
        assert!(
            shown.starts_with("line ") && shown.ends_with("line 999\n"),
            "{shown}"
        );
        assert!(shown.len() as u64 <= SHOWN);
        let last = lines.len() as u64 - 9;
        assert_eq!(tail(&mut file, last).unwrap(), "line 999\n");
    }
}
