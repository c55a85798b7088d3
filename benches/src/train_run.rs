//! A training run in a separate process, ours or the peer's.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::event_log::EventLog;
use super::process;
use super::timeline::Timeline;
use super::workbench::{NO_PEER, Workbench, remove};

/// The trained part of the model, by the names that both sides use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// All parameters.
    Full,
    /// LoRA of rank 8, alpha 16 and dropout 0.1 on the query and value layers of a DistilBERT.
    Lora,
    /// The classification head.
    Head,
}

/// The precision of the computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// f32 throughout.
    F32,
    /// bf16 where it is safe, with weights in f32.
    Bf16,
}

/// The length of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// A number of steps.
    Steps(usize),
    /// A number of passes over the rows.
    Epochs(usize),
}

/// The settings of a training run.
#[derive(Clone, Copy, Debug)]
pub struct TrainRun<'a> {
    /// Name of the log.
    pub name: &'a str,
    /// Directory of the model.
    pub model: &'a Path,
    /// Directory with `train.parquet` and `validation.parquet`.
    pub data: &'a Path,
    /// The trained part of the model.
    pub strategy: Strategy,
    /// Number of rows in a batch.
    pub batch_size: usize,
    /// Maximum number of tokens of a row.
    pub max_length: usize,
    /// The length of the run.
    pub length: Length,
    /// The precision.
    pub precision: Precision,
}

/// The result of a training run.
#[derive(Debug)]
pub struct Trained {
    /// The times of its steps.
    pub timeline: Timeline,
    /// Largest resident set in bytes, if the system reports it.
    pub peak_bytes: Option<u64>,
    /// Share of the steps' time spent in matrix multiplications, for our runs.
    pub matmul_share: Option<f64>,
    /// Versions of the peer's packages.
    pub versions: Value,
}

impl Strategy {
    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Lora => "lora",
            Self::Head => "head",
        }
    }
}

impl Precision {
    /// Returns the name on both command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl TrainRun<'_> {
    /// Trains with `finetune train`, without evaluations and checkpoints.
    ///
    /// # Errors
    /// Fails if the run fails.
    pub fn ours(&self, bench: &Workbench) -> Result<Trained> {
        let output = bench.empty(self.name)?;
        let trained = self.ours_into(bench, &output)?;
        remove(&output)?;
        Ok(trained)
    }

    /// Trains like [`ours`](Self::ours), and keeps the run directory `output`.
    ///
    /// # Errors
    /// Fails if the run fails.
    pub fn ours_into(&self, bench: &Workbench, output: &Path) -> Result<Trained> {
        let mut command = bench.finetune();
        command
            .arg("train")
            .args(self.shared())
            .args(["--train-rows", "0", "--eval-rows", "0"]);
        command.args(["--eval-strategy", "no", "--eval-on-start", "false"]);
        command.args([
            "--save-strategy",
            "no",
            "--report-to",
            "none",
            "--test-split",
            "",
        ]);
        command
            .arg("--dataset")
            .arg(self.data)
            .arg("--output")
            .arg(output);
        if self.strategy == Strategy::Lora {
            let settings = ["r=8", "lora_alpha=16", "lora_dropout=0.1"];
            let targets = r#"target_modules=["q_lin","v_lin"]"#;
            for setting in settings.into_iter().chain([targets]) {
                command.args(["--set", &format!("lora.{setting}")]);
            }
        }
        let mut events = EventLog::new(&output.join("events.jsonl"));
        let log = bench.log(self.name);
        let finished = bench.run(&mut command, self.name, || events.look())?;
        if !finished.status.success() {
            bail!(process::failure(&command, finished.status, &log));
        }
        let timeline = Timeline::of_events(&events.since(finished.started.0))
            .with_context(|| format!("in the event log of {}", output.display()))?;
        Ok(Trained {
            timeline,
            peak_bytes: finished.peak_bytes,
            matmul_share: matmul_share(output),
            versions: Value::Null,
        })
    }

    /// Trains with transformers' Trainer, or returns the reason why there is no peer.
    ///
    /// # Errors
    /// Fails if the run fails.
    pub fn theirs(&self, bench: &Workbench, group: bool) -> Result<Result<Trained, String>> {
        let Some(mut command) = bench.peer("job.py") else {
            return Ok(Err(NO_PEER.to_owned()));
        };
        let output = bench.empty(self.name)?;
        let result = bench.empty(&format!("{}.json", self.name))?;
        command.args(self.shared());
        command.args(group.then_some("--group-by-length"));
        command
            .arg("--data")
            .arg(self.data)
            .arg("--output")
            .arg(&output);
        command.arg("--result").arg(&result);
        let log = bench.log(self.name);
        let finished = bench.run(&mut command, self.name, || ())?;
        let result = read_result(&command, &finished, &result, &log)?;
        remove(&output)?;
        let started = finished.started.1.duration_since(UNIX_EPOCH)?.as_secs_f64();
        Ok(Ok(Trained {
            timeline: Timeline::of_peer(&result, started)?,
            peak_bytes: finished.peak_bytes,
            matmul_share: None,
            versions: result["versions"].clone(),
        }))
    }

    /// Returns the arguments that both sides take.
    fn shared(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["--model".into(), self.model.into()];
        let mut add = |name: &str, value: String| args.extend([name.into(), value.into()]);
        add("--strategy", self.strategy.name().to_owned());
        add("--precision", self.precision.name().to_owned());
        add("--batch-size", self.batch_size.to_string());
        add("--max-length", self.max_length.to_string());
        match self.length {
            Length::Steps(steps) => add("--max-steps", steps.to_string()),
            Length::Epochs(epochs) => add("--epochs", epochs.to_string()),
        }
        args
    }
}

/// Reads the share of matrix multiplications from the results of a run without evaluations and features.
fn matmul_share(run: &Path) -> Option<f64> {
    let results: Value = serde_json::from_slice(&fs::read(run.join("results.json")).ok()?).ok()?;
    let number = |name| results["train"][name].as_f64();
    Some(number("product_seconds")? / number("seconds")?)
}

/// Reads the JSON file that a script of the peer has written.
///
/// # Errors
/// Fails if the script failed or wrote no file.
pub fn read_result(
    command: &Command,
    finished: &process::Finished,
    path: &Path,
    log: &Path,
) -> Result<Value> {
    if !finished.status.success() {
        bail!(
            "the peer failed: {}",
            process::failure(command, finished.status, log)
        );
    }
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let value = serde_json::from_slice(&text);
    value.with_context(|| format!("no JSON in {}", path.display()))
}
