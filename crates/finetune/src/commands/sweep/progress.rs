//! Reads how far the run of a trial has come.

use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind},
    path::Path,
};

use finetune_files::{FileError, IoContext};
use finetune_metrics::Metric;
use finetune_sweep::{CompareError, Evaluation, RunProgress};
use finetune_train::{Manifest, layout};
use serde_json::Value;

/// Reads a run; one that has not begun says nothing.
///
/// # Errors
/// Fails if a file cannot be read or is damaged.
pub fn read(run: &Path) -> Result<RunProgress, CompareError> {
    let damaged = |problem: String| CompareError::Directory {
        directory: run.into(),
        problem,
    };
    if !layout::has_begun(run) {
        return Ok(RunProgress::default());
    }
    let manifest = Manifest::read(run).map_err(|error| damaged(error.to_string()))?;
    // It is written after the plan.
    let Some(manifest) = manifest else {
        return Ok(RunProgress::default());
    };
    let name = &manifest.plan.evaluation.metric_for_best_model;
    let metric: Metric = name
        .parse()
        .map_err(|error| damaged(format!("its plan has no metric of ours: {error}")))?;
    let ends = manifest
        .sessions
        .iter()
        .filter_map(|session| session.end.as_ref());
    let mut progress = RunProgress {
        metric: metric.name().to_owned(),
        greater_is_better: metric.greater_is_better(),
        keeps_best: manifest.plan.evaluation.load_best_model_at_end,
        evaluations: evaluations(run, metric)?,
        seconds: ends.map(|end| end.train_seconds).sum(),
        ..RunProgress::default()
    };
    if layout::is_complete(run) {
        let path = run.join(layout::RESULTS);
        let text = std::fs::read_to_string(&path).context("read", &path)?;
        let results: Value = serde_json::from_str(&text)
            .map_err(|error| damaged(format!("{} is damaged: {error}", layout::RESULTS)))?;
        progress.is_complete = true;
        progress.kept_value = results["validation"][metric.name()].as_f64();
        progress.test_value = results["test"][metric.name()].as_f64();
    }
    Ok(progress)
}

/// The evaluations of the validation rows after steps. A line that is not whole, or what was logged after the
/// checkpoint that a killed run resumes from, does no harm: the same follows again.
fn evaluations(run: &Path, metric: Metric) -> Result<Vec<Evaluation>, CompareError> {
    let path = run.join(layout::EVENTS);
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.context("read", &path)?,
    };
    let mut evaluations = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(|error| FileError::new("read", &path, error))?;
        let Ok(event) = serde_json::from_slice::<Value>(&line) else {
            continue;
        };
        let step = event["step"].as_u64().filter(|step| *step > 0);
        if event["event"] == "evaluated"
            && event["split"] == "validation"
            && let Some(step) = step
        {
            evaluations.push(Evaluation {
                step,
                epoch: event["epoch"].as_f64().unwrap_or(0.0),
                value: event["metrics"][metric.name()].as_f64(),
            });
        }
    }
    Ok(evaluations)
}
