//! TensorBoard's view of a run, under the names used by transformers' `TensorBoardCallback`.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, ErrorKind},
    path::Path,
};

use finetune_files::{FileError, IoContext};
use finetune_metrics::bare_name;
use finetune_tensorboard::{
    DEFAULT_NUM_THRESHOLDS, EventWriter, HparamValue, SessionStatus, TensorboardError,
};
use serde_json::{Value, json};

use super::logged_event::LoggedEvent;
use crate::{Accumulator, Event, Observer, TrainError, TrainPlan};

/// Largest number of classes for which curves are drawn, since nobody looks at more.
const MAX_CURVES: usize = 20;

/// An observer that writes a TensorBoard event file. It has `train/loss`, `train/learning_rate`,
/// `train/head_learning_rate` if the head has its own, `train/grad_norm`, `train/epoch` and
/// `train/samples_per_second` by step; every metric of an evaluation as `eval/METRIC` (validation rows)
/// or `SPLIT/METRIC` (others), with a precision-recall curve per class; and the plan, as text and as
/// hyperparameters.
#[derive(Debug)]
pub struct TensorboardLog {
    writer: EventWriter,
}

impl TensorboardLog {
    /// The name of its state in a checkpoint.
    pub const NAME: &str = "tensorboard";

    /// Starts a file in `directory`, which is created if it does not exist.
    ///
    /// # Errors
    /// Fails with [`TrainError::Tensorboard`] if the file cannot be written.
    pub fn create(directory: &Path, plan: &TrainPlan) -> Result<Self, TrainError> {
        let mut writer = EventWriter::create(directory, None)?;
        let table = toml::Table::try_from(plan).map_err(|error| {
            TrainError::Internal(format!("cannot write the plan as TOML: {error}"))
        })?;
        let mut hyperparameters = Vec::new();
        flatten("", &toml::Value::Table(table.clone()), &mut hyperparameters);
        let metrics = compared_metrics(plan);
        let metrics: Vec<_> = metrics.iter().map(String::as_str).collect();
        writer.hparams(&hyperparameters, &metrics)?;
        // Markdown shows lines indented by four spaces as code.
        let text: Vec<_> = table
            .to_string()
            .lines()
            .map(|line| format!("    {}", escaped(line, false)))
            .collect();
        writer.text("plan", 0, &text.join("\n"))?;
        writer.flush()?;
        Ok(Self { writer })
    }

    /// Continues the file in `directory` from the checkpoint that stored `state`; what was written
    /// later is cut off.
    ///
    /// # Errors
    /// Fails with [`TrainError::Tensorboard`] if the file is missing, too short or damaged, and with
    /// [`TrainError::ObserverState`] if `state` is invalid.
    pub fn resume(directory: &Path, state: &Value) -> Result<Self, TrainError> {
        let (Some(file), Some(position)) = (state["file"].as_str(), state["position"].as_u64())
        else {
            return Err(TrainError::ObserverState {
                observer: Self::NAME,
                found: state.to_string(),
                expected: "the name of a file and a position",
            });
        };
        let writer = EventWriter::append_at(directory.join(file), position)?;
        Ok(Self { writer })
    }

    /// Opens the log of a run: continues it from the `states` of a checkpoint's observers, or else
    /// rebuilds it from the event log `events`. A note reports what was wrong with a file that is
    /// rebuilt.
    ///
    /// # Errors
    /// Fails like [`rebuild`](Self::rebuild).
    pub fn open(
        directory: &Path,
        plan: &TrainPlan,
        states: &BTreeMap<String, Value>,
        events: &Path,
    ) -> Result<(Self, Option<String>), TrainError> {
        let problem = match states.get(Self::NAME) {
            Some(state) => match Self::resume(directory, state) {
                Ok(log) => return Ok((log, None)),
                Err(error) => Some(error),
            },
            // The run is new, ended before its first checkpoint, or did not report to TensorBoard so
            // far.
            None => None,
        };
        let log = Self::rebuild(directory, plan, events)?;
        let note = problem.map(|problem| {
            format!(
                "{problem}; {} is rebuilt from {}, without the earlier precision-recall curves",
                directory.display(),
                events.display()
            )
        });
        Ok((log, note))
    }

    /// Rebuilds the directory from an event log, of which it is only a view. Precision-recall curves
    /// are lost, since the event log does not contain predictions.
    ///
    /// # Errors
    /// Fails with [`TrainError::Tensorboard`] or [`TrainError::File`] if a file cannot be read or
    /// written, and with [`TrainError::Damaged`] if the event log is damaged.
    pub fn rebuild(directory: &Path, plan: &TrainPlan, events: &Path) -> Result<Self, TrainError> {
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(FileError::new("write", directory, error).into());
            }
            _ => {}
        }
        let mut log = Self::create(directory, plan)?;
        let damaged = |problem: String| TrainError::Damaged {
            path: events.into(),
            problem,
        };
        let file = File::open(events).context("read", events)?;
        for line in BufReader::new(file).lines() {
            let line = line.context("read", events)?;
            let event = serde_json::from_str(&line).map_err(|error| damaged(error.to_string()))?;
            log.write(&event)?;
        }
        log.writer.flush()?;
        Ok(log)
    }

    /// Returns the path of the event file.
    pub fn path(&self) -> &Path {
        self.writer.path()
    }

    /// Writes a scalar if it is defined.
    fn defined(
        &mut self,
        tag: &str,
        step: u64,
        value: Option<f64>,
    ) -> Result<(), TensorboardError> {
        let tag = escaped(tag, true);
        value.map_or(Ok(()), |value| {
            self.writer.scalar(&tag, step as i64, value as f32)
        })
    }

    /// Returns the prefix of a split's tags. transformers calls evaluations of the validation rows
    /// `eval`.
    fn prefix(split: &str) -> &str {
        if split == "validation" { "eval" } else { split }
    }

    fn curves(
        &mut self,
        split: &str,
        step: u64,
        predictions: &Accumulator,
    ) -> Result<(), TensorboardError> {
        for curve in predictions.curves(MAX_CURVES) {
            let tag = format!("{}/precision_recall/{}", Self::prefix(split), curve.class);
            self.writer.pr_curve(
                &escaped(&tag, true),
                step as i64,
                &curve.labels,
                &curve.probabilities,
                DEFAULT_NUM_THRESHOLDS,
            )?;
        }
        Ok(())
    }

    /// Writes an event as the log has it, except tables and undefined values.
    fn write(&mut self, event: &LoggedEvent) -> Result<(), TensorboardError> {
        match event {
            LoggedEvent::Started {
                trainable_parameters,
            } => self.defined("train/trainable_parameters", 0, *trainable_parameters),
            LoggedEvent::Unfrozen {
                step,
                trainable_parameters,
            } => self.defined("train/trainable_parameters", *step, *trainable_parameters),
            LoggedEvent::Step {
                step,
                epoch,
                loss,
                learning_rate,
                head_learning_rate,
                grad_norm,
                rows,
                pairs,
                seconds,
            } => {
                let seconds = seconds.unwrap_or(0.0).max(f64::MIN_POSITIVE);
                let speed = pairs.or(*rows).unwrap_or(0.0) / seconds;
                for (tag, value) in [
                    ("train/loss", *loss),
                    ("train/learning_rate", *learning_rate),
                    ("train/head_learning_rate", *head_learning_rate),
                    ("train/grad_norm", *grad_norm),
                    ("train/epoch", *epoch),
                    ("train/samples_per_second", Some(speed)),
                ] {
                    self.defined(tag, *step, value)?;
                }
                Ok(())
            }
            LoggedEvent::Evaluated {
                step,
                split,
                metrics,
            } => {
                let prefix = Self::prefix(split);
                for (name, value) in metrics.values() {
                    self.defined(&format!("{prefix}/{name}"), *step, Some(value))?;
                }
                Ok(())
            }
            LoggedEvent::Finished {
                step,
                loss,
                seconds,
                reason,
            } => {
                self.defined("train/train_loss", *step, *loss)?;
                self.defined("train/train_runtime", *step, *seconds)?;
                // An interrupted run has not ended: it can continue in this file.
                match reason.is_resumable() {
                    true => Ok(()),
                    false => self.writer.hparams_end(SessionStatus::Success),
                }
            }
            LoggedEvent::Other => Ok(()),
        }
    }
}

impl Observer for TensorboardLog {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        if event.is_transient() {
            return Ok(());
        }
        let logged = LoggedEvent::of(event).map_err(io::Error::from);
        let logged = logged.context("write", self.path())?;
        self.write(&logged)?;
        if let Event::Evaluated {
            split,
            step,
            predictions,
            ..
        } = event
        {
            self.curves(split, *step, predictions)?;
        }
        Ok(self.writer.flush()?)
    }

    fn checkpoint(&mut self) -> Result<Option<(&'static str, Value)>, TrainError> {
        self.writer.sync()?;
        let file = self.writer.path().file_name();
        let file = file.map(|name| name.to_string_lossy()).unwrap_or_default();
        let state = json!({"file": file, "position": self.writer.position()});
        Ok(Some((Self::NAME, state)))
    }
}

/// Returns the tags by which the hyperparameter table compares runs.
fn compared_metrics(plan: &TrainPlan) -> Vec<String> {
    let metric = bare_name(&plan.evaluation.metric_for_best_model);
    let splits = match plan.data.test_split.is_none() {
        true => &["eval"][..],
        false => &["eval", "test"],
    };
    let mut tags = Vec::new();
    for split in splits {
        tags.push(format!("{split}/loss"));
        if metric != "loss" {
            tags.push(format!("{split}/{metric}"));
        }
    }
    tags
}

/// Escapes characters of `text` that could act where it is displayed, since it comes from untrusted
/// data: control characters, marks of writing direction and, with `markup`, characters of markup.
fn escaped(text: &str, markup: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match c.is_control() || direction || markup && matches!(c, '<' | '>' | '&') {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

/// Joins nested keys by dots, and writes lists as text.
fn flatten(prefix: &str, value: &toml::Value, into: &mut Vec<(String, HparamValue)>) {
    let flat = match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let name = match prefix {
                    "" => key.clone(),
                    _ => format!("{prefix}.{key}"),
                };
                flatten(&name, value, into);
            }
            return;
        }
        toml::Value::String(text) => HparamValue::Text(escaped(text, true)),
        toml::Value::Boolean(value) => HparamValue::Bool(*value),
        toml::Value::Float(value) if value.is_finite() => HparamValue::Number(*value),
        // Above 2⁵³, not every integer is a double.
        toml::Value::Integer(value) if value.unsigned_abs() <= 1 << 53 => {
            HparamValue::Number(*value as f64)
        }
        other => HparamValue::Text(escaped(&other.to_string(), true)),
    };
    into.push((prefix.to_string(), flat));
}
