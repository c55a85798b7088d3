//! A prediction of all texts of a file in a separate process, ours or the peer's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use super::process::{self, Finished};
use super::train_run::{Length, Precision, Strategy, TrainRun, read_result};
use super::workbench::{NO_PEER, Workbench, remove};

/// The settings of a prediction.
#[derive(Clone, Copy, Debug)]
pub struct PredictRun<'a> {
    /// Name of the log.
    pub name: &'a str,
    /// Directory of the saved classifier.
    pub model: &'a Path,
    /// Parquet file with a column `text`.
    pub texts: &'a Path,
    /// Number of texts in a batch.
    pub batch_size: usize,
    /// Maximum number of tokens; longer texts are truncated.
    pub max_length: usize,
}

/// The result of a prediction.
#[derive(Debug)]
pub struct Predicted {
    /// Counts and times.
    pub timings: Timings,
    /// Largest resident set in bytes, if the system reports it.
    pub peak_bytes: Option<u64>,
    /// Versions of the peer's packages.
    pub versions: Value,
}

/// The counts and times that both sides report.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Timings {
    /// Number of texts predicted.
    pub texts: u64,
    /// Number of their tokens after truncation, without padding.
    pub tokens: u64,
    /// Time for reading, tokenizing and predicting, without loading the model.
    pub seconds: f64,
    /// Time spent in the model.
    pub model_seconds: f64,
}

impl Timings {
    fn read(value: &Value) -> Result<Self> {
        let timings = Self::deserialize(value).context("unexpected timings of a prediction")?;
        let Self {
            texts,
            tokens,
            seconds,
            model_seconds,
        } = timings;
        if texts == 0 || tokens == 0 || seconds <= 0.0 || model_seconds <= 0.0 {
            bail!("a prediction without texts or time: {timings:?}");
        }
        Ok(timings)
    }

    /// Returns the texts per second, including reading and tokenizing.
    #[must_use]
    pub fn texts_per_second(&self) -> f64 {
        self.texts as f64 / self.seconds
    }

    /// Returns the texts per second in the model.
    #[must_use]
    pub fn model_texts_per_second(&self) -> f64 {
        self.texts as f64 / self.model_seconds
    }

    /// Returns the seconds per token in the model.
    #[must_use]
    pub fn seconds_per_token(&self) -> f64 {
        self.model_seconds / self.tokens as f64
    }
}

impl PredictRun<'_> {
    /// Predicts with `finetune predict`, in the order of the file.
    ///
    /// # Errors
    /// Fails if the prediction fails.
    pub fn ours(&self, bench: &Workbench, precision: Precision) -> Result<Predicted> {
        let timings = bench.empty(&format!("{}.json", self.name))?;
        let output = bench.empty(&format!("{}.jsonl", self.name))?;
        let mut command = bench.finetune();
        command.args(["predict", "--format", "json-lines"]);
        command.args(["--precision", precision.name()]);
        command.arg("--model").arg(self.model);
        command.arg("--file").arg(self.texts);
        command.args(["--batch-size", &self.batch_size.to_string()]);
        command.args(["--max-length", &self.max_length.to_string()]);
        command.arg("--output").arg(&output);
        command.arg("--timings").arg(&timings);
        let log = bench.log(self.name);
        let finished = bench.run(&mut command, self.name, || ())?;
        if !finished.status.success() {
            bail!(process::failure(&command, finished.status, &log));
        }
        let text = fs::read(&timings);
        let text = text.with_context(|| format!("cannot read {}", timings.display()))?;
        remove(&output)?;
        Ok(Predicted {
            timings: Timings::read(&serde_json::from_slice(&text)?)?,
            peak_bytes: finished.peak_bytes,
            versions: Value::Null,
        })
    }

    /// Predicts with an engine of the peer, or returns the reason why there is no such engine.
    ///
    /// # Errors
    /// Fails if the prediction fails.
    pub fn theirs(&self, bench: &Workbench, engine: &str) -> Result<Result<Predicted, String>> {
        let Some((command, finished, result)) = self.peer(bench, engine)? else {
            return Ok(Err(NO_PEER.to_owned()));
        };
        let result = read_result(&command, &finished, &result, &bench.log(self.name))?;
        if let Some(reason) = result["absent"].as_str() {
            return Ok(Err(reason.to_owned()));
        }
        Ok(Ok(Predicted {
            timings: Timings::read(&result)?,
            peak_bytes: finished.peak_bytes,
            versions: result["versions"].clone(),
        }))
    }

    /// Runs the peer's script and returns the file with its result; `None` without a peer.
    fn peer(
        &self,
        bench: &Workbench,
        engine: &str,
    ) -> Result<Option<(Command, Finished, PathBuf)>> {
        let Some(mut command) = bench.peer("predict.py") else {
            return Ok(None);
        };
        let result = bench.empty(&format!("{}.json", self.name))?;
        command.args(["--engine", engine]);
        command.arg("--model").arg(self.model);
        command.arg("--file").arg(self.texts);
        command.args(["--batch-size", &self.batch_size.to_string()]);
        command.args(["--max-length", &self.max_length.to_string()]);
        command.arg("--onnx").arg(self.model.join("model.onnx"));
        command.arg("--result").arg(&result);
        let finished = bench.run(&mut command, self.name, || ())?;
        Ok(Some((command, finished, result)))
    }
}

/// Exports the model for the peer's engine `onnx` in advance, so that it is not measured.
///
/// # Errors
/// Fails if the export fails, but not if there is no peer or no such engine.
pub fn export_onnx(bench: &Workbench, model: &Path) -> Result<()> {
    let run = PredictRun {
        name: "predict-onnx-export",
        model,
        texts: Path::new("none"),
        batch_size: 1,
        max_length: 1,
    };
    let Some((command, finished, result)) = run.peer(bench, "onnx-export")? else {
        return Ok(());
    };
    read_result(&command, &finished, &result, &bench.log(run.name)).map(drop)
}

/// Returns a saved classifier of all-MiniLM-L6-v2 whose head was trained for one step.
///
/// # Errors
/// Fails if it cannot be trained.
pub fn classifier(bench: &Workbench) -> Result<PathBuf> {
    let base = bench.minilm()?;
    let output = bench.models().join("minilm-classifier");
    // A model of another version of the program, and its export, are in the way.
    remove(&output)?;
    let data = bench.corpus.write(&bench.data(), bench.arguments.rows, 0)?;
    let run = TrainRun {
        name: "predict-model",
        model: &base,
        data: &data,
        strategy: Strategy::Head,
        batch_size: 16,
        max_length: 256,
        length: Length::Steps(1),
        precision: Precision::F32,
    };
    run.ours_into(bench, &output)?;
    Ok(output.join("model"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn timings_of_both_sides_are_read() {
        let ours = json!({"texts": 100, "tokens": 2500, "seconds": 0.5, "model_seconds": 0.4,
            "tokenize_seconds": 0.1, "start_seconds": 0.2});
        let timings = Timings::read(&ours).unwrap();
        assert_eq!(timings.texts_per_second(), 200.0);
        assert_eq!(timings.model_texts_per_second(), 250.0);
        assert_eq!(timings.seconds_per_token(), 0.4 / 2500.0);
        for broken in [
            json!({"texts": 100}),
            json!({"texts": 0, "tokens": 0, "seconds": 0.5, "model_seconds": 0.4}),
        ] {
            Timings::read(&broken).unwrap_err();
        }
    }
}
