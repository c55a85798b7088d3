//! Runs commands of `finetune`, each of which is done once, however often the lab is begun.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use finetune_compare::runner::{self, Goal, Job, Progress, RunState, Runner};
use serde_json::Value;

use crate::workspace::{display, shell_line};

/// What a complete run says about itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// Accuracy on the test rows, if there are any.
    pub(super) accuracy: Option<f64>,
    /// Seconds of all steps, without evaluations.
    pub(super) seconds: f64,
    /// Share of the parameters that were trained.
    pub(super) trained: f64,
}

/// The lab's folder, and the program that fills it.
pub(super) struct Session {
    runner: Runner,
    /// The last signal of the terminal; 0 for none.
    signal: Arc<AtomicUsize>,
}

/// How a command ended.
pub(super) enum End {
    Done,
    /// It failed or was stopped, with this exit code.
    Failed(u8),
}

impl Session {
    /// # Errors
    /// Fails if the system takes no handler for Ctrl-C.
    pub(super) fn new(program: PathBuf, folder: PathBuf) -> Result<Self> {
        let signal = Arc::<AtomicUsize>::default();
        let interrupt = signal_hook::consts::SIGINT;
        signal_hook::flag::register_usize(interrupt, Arc::clone(&signal), interrupt as usize)
            .context("cannot handle Ctrl-C")?;
        Ok(Self {
            runner: Runner {
                program,
                folder,
                jobs: 1,
                threads: None,
            },
            signal,
        })
    }

    /// Makes the folder `name` with this command, unless it is there: the command publishes it whole.
    ///
    /// # Errors
    /// Fails if the command cannot be started.
    pub(super) fn make(&self, name: &str, arguments: &[String]) -> Result<End> {
        self.job(name, Goal::Directory, arguments)
    }

    /// Completes the run `name`: with this command, or by resuming it if it was interrupted.
    ///
    /// # Errors
    /// Fails if the command cannot be started.
    pub(super) fn train(&self, name: &str, arguments: &[String]) -> Result<End> {
        self.job(name, Goal::Run, arguments)
    }

    /// The results of the run `name`, or `None` if it is not complete.
    ///
    /// # Errors
    /// Fails if its results cannot be read.
    pub(super) fn found(&self, name: &str) -> Result<Option<Found>> {
        let run = self.runner.folder.join(name);
        match RunState::of(&run) {
            RunState::Complete => Found::read(&run).map(Some),
            RunState::Interrupted | RunState::New => Ok(None),
        }
    }

    fn job(&self, name: &str, goal: Goal, arguments: &[String]) -> Result<End> {
        let job = Job {
            name: name.to_owned(),
            goal,
            arguments: arguments.to_vec(),
            always: Vec::new(),
        };
        let signal = || match self.signal.swap(0, Ordering::SeqCst) {
            0 => None,
            signal => i32::try_from(signal).ok(),
        };
        let program = display(&self.runner.program);
        let ends = self
            .runner
            .run(&[job], &signal, &mut |progress| match progress {
                Progress::Starts(_, arguments) => {
                    println!("$ {}", shell_line([&program].into_iter().chain(arguments)));
                }
                Progress::Waits(job) => println!("{} is in use; waiting", job.name),
                Progress::Ended(..) => {}
            })?;
        Ok(match ends.into_iter().next() {
            Some(runner::End::Failed { code, output }) => {
                let log = self.runner.folder.join(format!("{name}.log"));
                eprint!("{output}");
                eprintln!("all of its output is in {}", display(&log));
                End::Failed(code)
            }
            Some(runner::End::Stopped(signal)) => {
                End::Failed(u8::try_from(128 + signal).unwrap_or(1))
            }
            Some(runner::End::Done | runner::End::WasDone) | None => End::Done,
        })
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
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("results.json"), "{}").unwrap();
        let error = format!("{:#}", Found::read(folder.path()).unwrap_err());
        assert!(error.contains("results.json lacks a value"), "{error}");
    }
}
