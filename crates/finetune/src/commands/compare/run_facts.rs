//! Reads what a complete run says about itself.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
};

use finetune_compare::{
    RunFacts,
    table::{EvaluationFacts, TaskFacts},
};
use finetune_files::IoContext;
use finetune_train::{EvaluationRecord, Manifest, TrainPlan, layout};
use serde_json::Value;

use super::predictions;
use crate::{
    commands::{directory_size::directory_size, execute::resume_line},
    error::Failure,
    resolve::special_files,
};

/// The place of a split in the plan's fingerprints.
const VALIDATION: usize = 1;
const TEST: usize = 2;

/// Reads a complete run; `name` is what messages call it.
///
/// # Errors
/// Fails if the directory has no run, or one that is incomplete or damaged.
pub fn read(run: &Path, name: &str) -> Result<RunFacts, Failure> {
    special_files::refuse_in(run)?;
    if !layout::has_begun(run) {
        let problem = match run.exists() {
            true => format!("it has no {}", layout::PLAN),
            false => "there is no such directory".into(),
        };
        return Err(Failure::User(format!(
            "{} is not a run: {problem}; name the directory that was trained into",
            run.display()
        )));
    }
    if !layout::is_complete(run) {
        return Err(Failure::User(format!(
            "{} is not complete, so that it has no results to compare; complete it with\n  {}",
            run.display(),
            resume_line(run)
        )));
    }
    let path = run.join(layout::RESULTS);
    let text = fs::read_to_string(&path).context("read", &path)?;
    let damaged =
        |problem: String| Failure::User(format!("{} is damaged: {problem}", path.display()));
    let results: Value = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    let Some(manifest) = Manifest::read(run)? else {
        return Err(Failure::User(format!(
            "{} has lost its {}, which says how it was trained; leave it out",
            run.display(),
            Manifest::FILE
        )));
    };
    let plan = &manifest.plan;
    let number = |keys: [&str; 2]| {
        let value = &results[keys[0]][keys[1]];
        value
            .as_f64()
            .ok_or_else(|| damaged(format!("it has no number {}.{}", keys[0], keys[1])))
    };
    let ends = manifest
        .sessions
        .iter()
        .filter_map(|session| session.end.as_ref());
    let test_seconds = ends
        .clone()
        .map(|end| end.test_seconds)
        .rfind(|seconds| *seconds > 0.0);
    // A session that was killed has left no time but that of its steps.
    let sessions: f64 = ends.map(|end| end.train_seconds).sum();
    let train_seconds = number(["train", "seconds"])?.max(sessions);
    let machine = manifest.sessions.last().map(|session| {
        let machine = &session.machine;
        format!(
            "{}, {}, {} threads",
            machine.cpu, machine.device, machine.threads
        )
    });
    let mut facts = RunFacts {
        name: name.to_owned(),
        directory: run.to_path_buf(),
        seed: plan.seed,
        task: task(plan),
        metric: plan.evaluation.metric_for_best_model.clone(),
        train_rows: train_rows(run)?,
        test: evaluation(&results["test"], &manifest, TEST).map_err(damaged)?,
        validation: evaluation(&results["validation"], &manifest, VALIDATION).map_err(damaged)?,
        train_seconds,
        samples_per_second: results["train"]["samples_per_second"].as_f64(),
        peak_memory_bytes: results["peak_memory_bytes"].as_u64(),
        trained_parameters: number(["parameters", "trainable"])? as u64,
        parameters: number(["parameters", "total"])? as u64,
        model_bytes: directory_size(&run.join(layout::MODEL))?,
        test_seconds,
        machine: machine.unwrap_or_default(),
    };
    predictions::add(run, &mut facts)?;
    Ok(facts)
}

fn task(plan: &TrainPlan) -> TaskFacts {
    match plan.pretraining {
        Some(_) => TaskFacts {
            kind: "masked language modelling".into(),
            labels: Vec::new(),
        },
        None => TaskFacts {
            kind: plan.data.problem_type.to_string(),
            labels: plan.data.labels.clone(),
        },
    }
}

/// Reads an evaluation in the results, if there is one.
fn evaluation(
    json: &Value,
    manifest: &Manifest,
    split: usize,
) -> Result<Option<EvaluationFacts>, String> {
    if json.is_null() {
        return Ok(None);
    }
    let record: EvaluationRecord =
        serde_json::from_value(json.clone()).map_err(|error| error.to_string())?;
    let plan = &manifest.plan.data;
    let bounds = |interval: &Value| Some([interval["low"].as_f64()?, interval["high"].as_f64()?]);
    let intervals = json["confidence_intervals"]
        .as_object()
        .into_iter()
        .flatten();
    let config = plan
        .dataset_config
        .iter()
        .map(|config| format!(", {config}"));
    let revision = plan
        .dataset_revision
        .iter()
        .map(|revision| format!(", {revision}"));
    let rows = match split {
        TEST => plan.test_split.clone().unwrap_or_default(),
        _ => plan
            .validation_split
            .clone()
            .unwrap_or_else(|| format!("{} of {}", plan.validation_fraction, plan.train_split)),
    };
    let more: String = config.chain(revision).collect();
    Ok(Some(EvaluationFacts {
        rows: record.rows(),
        metrics: record
            .values()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        intervals: intervals
            .filter_map(|(name, interval)| Some((name.clone(), bounds(interval)?)))
            .collect(),
        source: format!("{}{more}, {rows}", plan.dataset),
        fingerprint: plan.dataset_fingerprints.get(split).cloned(),
        tokens: format!("{} {}", manifest.model.tokenizer_sha256, plan.max_length),
        predictions: Err("a run left no predictions of its rows".into()),
    }))
}

/// The number of training rows, as the first event has it.
fn train_rows(run: &Path) -> Result<Option<u64>, Failure> {
    let path = run.join(layout::EVENTS);
    let Ok(file) = File::open(&path) else {
        return Ok(None);
    };
    let mut line = String::new();
    BufReader::new(file)
        .read_line(&mut line)
        .context("read", &path)?;
    let event: Value = serde_json::from_str(&line).unwrap_or_default();
    Ok(event["train_rows"].as_u64())
}
