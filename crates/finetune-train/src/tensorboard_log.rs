//! TensorBoard's view of a run, under the names that transformers' `TensorBoardCallback` gives.

use std::path::Path;

use finetune_metrics::{Targets, sigmoid, softmax};
use finetune_tensorboard::{
    DEFAULT_NUM_THRESHOLDS, EventWriter, HparamValue, SessionStatus, TensorboardError,
};
use serde_json::{Value, json};

use crate::{Accumulator, Evaluation, Event, Observer, StopReason, TrainError, TrainPlan};

/// More classes than this, and no curves are drawn: nobody looks at so many.
const MOST_CURVES: usize = 20;

/// An observer that writes a TensorBoard event file: `train/loss`, `train/learning_rate`,
/// `train/grad_norm`, `train/epoch` and `train/samples_per_second` by step; every metric of an
/// evaluation as `eval/METRIC` (validation rows) or `SPLIT/METRIC` (others), and a precision-recall
/// curve of each class; the plan, as text and as hyperparameters.
#[derive(Debug)]
pub struct TensorboardLog {
    writer: EventWriter,
}

impl TensorboardLog {
    /// Name of its state in a checkpoint.
    pub const NAME: &str = "tensorboard";

    /// Begins a file in `directory`, which is made where it is missing.
    ///
    /// # Errors
    /// [`TrainError::Tensorboard`] if it cannot be written.
    pub fn create(directory: &Path, plan: &TrainPlan) -> Result<Self, TrainError> {
        let mut writer = EventWriter::create(directory, None)?;
        let table = toml::Table::try_from(plan)
            .map_err(|error| TrainError::Plan(format!("cannot write the plan as TOML: {error}")))?;
        let mut hyperparameters = Vec::new();
        flatten("", &toml::Value::Table(table.clone()), &mut hyperparameters);
        let metrics = compared_metrics(plan);
        let metrics: Vec<_> = metrics.iter().map(String::as_str).collect();
        writer.hparams(&hyperparameters, &metrics)?;
        // Four spaces make it code in Markdown.
        let text: Vec<_> = table
            .to_string()
            .lines()
            .map(|line| format!("    {line}"))
            .collect();
        writer.text("plan", 0, &text.join("\n"))?;
        writer.flush()?;
        Ok(Self { writer })
    }

    /// Continues the file of `directory` as it was when a checkpoint got `state` from
    /// [`Observer::checkpoint`]; what was written later is cut off.
    ///
    /// # Errors
    /// [`TrainError::Tensorboard`] if the file is gone, shorter or damaged,
    /// [`TrainError::Plan`] if `state` is none.
    pub fn resume(directory: &Path, state: &Value) -> Result<Self, TrainError> {
        let (Some(file), Some(position)) = (state["file"].as_str(), state["position"].as_u64())
        else {
            return Err(TrainError::Plan(format!(
                "the checkpoint's state of {} is {state}; expected the name of a file and a position",
                Self::NAME
            )));
        };
        let writer = EventWriter::append_at(directory.join(file), position)?;
        Ok(Self { writer })
    }

    /// The event file.
    pub fn path(&self) -> &Path {
        self.writer.path()
    }

    fn scalar(&mut self, tag: &str, step: u64, value: f64) -> Result<(), TensorboardError> {
        self.writer.scalar(tag, step as i64, value as f32)
    }

    fn evaluation(
        &mut self,
        split: &str,
        step: u64,
        metrics: &Evaluation,
        predictions: &Accumulator,
    ) -> Result<(), TensorboardError> {
        // As in transformers, whose evaluation is on the validation rows.
        let prefix = if split == "validation" { "eval" } else { split };
        let metrics = serde_json::to_value(metrics).unwrap_or_default();
        for (name, value) in metrics.as_object().into_iter().flatten() {
            // Neither what is undefined nor a table; and the number of rows is no metric.
            if let Some(value) = value.as_f64().filter(|_| name != "rows") {
                self.scalar(&format!("{prefix}/{name}"), step, value)?;
            }
        }
        for (class, labels, probabilities) in curves(predictions) {
            let tag = format!("{prefix}/precision_recall/{class}");
            let points = DEFAULT_NUM_THRESHOLDS;
            self.writer
                .pr_curve(&tag, step as i64, &labels, &probabilities, points)?;
        }
        Ok(())
    }

    fn write(&mut self, event: &Event) -> Result<(), TensorboardError> {
        match event {
            Event::Started {
                trainable_parameters,
                ..
            } => self.scalar(
                "train/trainable_parameters",
                0,
                *trainable_parameters as f64,
            )?,
            Event::Step {
                step,
                epoch,
                loss,
                learning_rate,
                grad_norm,
                rows,
                seconds,
                ..
            } => {
                self.scalar("train/loss", *step, *loss)?;
                self.scalar("train/learning_rate", *step, *learning_rate)?;
                self.scalar("train/grad_norm", *step, *grad_norm)?;
                self.scalar("train/epoch", *step, *epoch)?;
                let speed = *rows as f64 / seconds.max(f64::MIN_POSITIVE);
                self.scalar("train/samples_per_second", *step, speed)?;
            }
            Event::Unfrozen {
                step,
                trainable_parameters,
                ..
            } => self.scalar(
                "train/trainable_parameters",
                *step,
                *trainable_parameters as f64,
            )?,
            Event::Evaluated {
                split,
                step,
                metrics,
                predictions,
                ..
            } => self.evaluation(split, *step, metrics, predictions)?,
            Event::Finished {
                step,
                loss,
                reason,
                seconds,
                ..
            } => {
                self.scalar("train/train_loss", *step, *loss)?;
                self.scalar("train/train_runtime", *step, *seconds)?;
                // An interrupted run has no end: it can go on in this file.
                if *reason != StopReason::Interrupted {
                    self.writer.hparams_end(SessionStatus::Success)?;
                }
            }
            _ => return Ok(()),
        }
        self.writer.flush()
    }
}

impl Observer for TensorboardLog {
    fn on_event(&mut self, event: &Event) -> Result<(), TrainError> {
        Ok(self.write(event)?)
    }

    fn checkpoint(&mut self) -> Result<Option<(&'static str, Value)>, TrainError> {
        self.writer.sync()?;
        let file = self.writer.path().file_name();
        let file = file.map(|name| name.to_string_lossy()).unwrap_or_default();
        let state = json!({"file": file, "position": self.writer.position()});
        Ok(Some((Self::NAME, state)))
    }
}

/// Tags by which the table of hyperparameters compares runs.
fn compared_metrics(plan: &TrainPlan) -> Vec<String> {
    let metric = &plan.metric_for_best_model;
    let metric = metric.strip_prefix("eval_").unwrap_or(metric);
    let splits = match plan.test_split.is_empty() {
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

/// Nested keys joined by dots, lists as text.
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
        toml::Value::String(text) => HparamValue::Text(text.clone()),
        toml::Value::Boolean(value) => HparamValue::Bool(*value),
        toml::Value::Float(value) if value.is_finite() => HparamValue::Number(*value),
        // Beyond 2⁵³ a double does not have every integer.
        toml::Value::Integer(value) if value.unsigned_abs() <= 1 << 53 => {
            HparamValue::Number(*value as f64)
        }
        other => HparamValue::Text(other.to_string()),
    };
    into.push((prefix.to_string(), flat));
}

/// Of each class: its name, which rows are of it, and its probability in each row.
fn curves<'a>(predictions: &'a Accumulator) -> Vec<(&'a str, Vec<bool>, Vec<f32>)> {
    let sigmoids = |logits: &[f32]| logits.iter().map(|&logit| sigmoid(logit) as f32).collect();
    let (names, rows) = match predictions {
        Accumulator::Classification(all) => (all.class_names(), all.predictions()),
        Accumulator::MultiLabel(all) => (all.class_names(), all.predictions()),
        Accumulator::Regression(_) => return Vec::new(),
    };
    if names.len() > MOST_CURVES {
        return Vec::new();
    }
    let probabilities: Vec<Vec<f32>> = match predictions {
        Accumulator::MultiLabel(_) => rows.iter().map(sigmoids).collect(),
        _ => rows.iter().map(softmax).collect(),
    };
    let of_class = |(class, name): (usize, &'a String)| {
        let labels = match rows.targets() {
            Targets::Classes(targets) => targets.iter().map(|&t| t as usize == class).collect(),
            Targets::Labels(targets) => targets
                .iter()
                .skip(class)
                .step_by(names.len())
                .copied()
                .collect(),
            Targets::Values(_) => Vec::new(),
        };
        let of_class = probabilities
            .iter()
            .filter_map(|row| row.get(class).copied());
        (name.as_str(), labels, of_class.collect())
    };
    names.iter().enumerate().map(of_class).collect()
}
