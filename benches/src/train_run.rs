//! One training run in a process of its own, ours or the peer's.

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

/// What is trained, by the names that both sides use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Everything.
    Full,
    /// LoRA of rank 8, alpha 16, dropout 0.1 on the query and value layers of a DistilBERT.
    Lora,
    /// The classification head.
    Head,
}

/// What is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16 where it is safe, with weights in f32.
    Bf16,
}

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// After so many steps.
    Steps(usize),
    /// After so many passes over the rows.
    Epochs(usize),
}

/// A training run.
#[derive(Clone, Copy, Debug)]
pub struct TrainRun<'a> {
    /// For the log.
    pub name: &'a str,
    /// Model directory.
    pub model: &'a Path,
    /// Directory with `train.parquet` and `validation.parquet`.
    pub data: &'a Path,
    /// What is trained.
    pub strategy: Strategy,
    /// Rows of a batch.
    pub batch_size: usize,
    /// Longest row in tokens.
    pub max_length: usize,
    /// When it ends.
    pub length: Length,
    /// What is computed with.
    pub precision: Precision,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Trained {
    /// When what happened.
    pub timeline: Timeline,
    /// Largest resident set, in bytes, where the system tells.
    pub peak_bytes: Option<u64>,
    /// Which part of the steps' time matrix products took, of ours.
    pub product_share: Option<f64>,
    /// Versions, of the peer's.
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
    /// Its name on both command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl TrainRun<'_> {
    /// With `finetune train`, without evaluations and checkpoints.
    ///
    /// # Errors
    /// When it fails.
    pub fn ours(&self, bench: &Workbench) -> Result<Trained> {
        let output = bench.empty(self.name)?;
        let trained = self.ours_into(bench, &output)?;
        remove(&output)?;
        Ok(trained)
    }

    /// The same, and the run directory `output` stays.
    ///
    /// # Errors
    /// When it fails.
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
            product_share: product_share(output),
            versions: Value::Null,
        })
    }

    /// With transformers' Trainer. A reason why not, if there is no peer.
    ///
    /// # Errors
    /// When it fails.
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
            product_share: None,
            versions: result["versions"].clone(),
        }))
    }

    /// The arguments that both sides have.
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

/// From the results of a run without evaluations and features.
fn product_share(run: &Path) -> Option<f64> {
    let results: Value = serde_json::from_slice(&fs::read(run.join("results.json")).ok()?).ok()?;
    let number = |name| results["train"][name].as_f64();
    Some(number("product_seconds")? / number("seconds")?)
}

/// The JSON file that a script of the peer's leaves.
///
/// # Errors
/// When it failed or left none.
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
