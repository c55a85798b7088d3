//! Reads what a run says about itself, however far it has come.

use std::{
    fs::{self, File},
    io::{BufReader, ErrorKind},
    path::Path,
};

use finetune_files::{DirectoryLock, FileError, IoContext};
use finetune_infer::objective;
use finetune_report::{
    Change, HeldOut, Measure, RunFacts, RunLog, RunState, Session, Setup, SplitLengths, Times,
};
use finetune_train::{
    EvaluationRecord, HeldOutLogits, Manifest, RunDirectory, SessionEnd, StopReason, TrainError,
    TrainPlan, layout,
};
use serde_json::Value;

use super::rows;
use crate::{
    commands::{directory_size::directory_size, execute::resume_line},
    error::Failure,
    resolve::special_files,
    view::{
        next,
        progress::count,
        shell::{program, quote_path},
    },
};

/// A run as read from its directory.
pub struct ReadRun {
    pub plan: TrainPlan,
    pub results: Option<Value>,
    pub facts: RunFacts,
}

/// Reads a run.
///
/// # Errors
/// Fails if there is no run, if a file of it cannot be read, or if a newer version wrote it.
pub fn read(run: &Path) -> Result<ReadRun, Failure> {
    special_files::refuse_in(run)?;
    let (_, saved) = RunDirectory::read(run)?;
    let plan = saved.trained().clone();
    let manifest = Manifest::read(run)?;
    let results = results(run)?;
    let log = match File::open(run.join(layout::EVENTS)) {
        Ok(file) => {
            RunLog::read(BufReader::new(file)).context("read", &run.join(layout::EVENTS))?
        }
        Err(error) if error.kind() == ErrorKind::NotFound => RunLog::default(),
        Err(error) => return Err(FileError::new("read", &run.join(layout::EVENTS), error).into()),
    };
    let mut notes = Vec::new();
    if let Some(line) = log.damaged_line {
        notes.push(format!(
            "Line {line} of {} is no event and was left out.",
            layout::EVENTS
        ));
    }
    let held_out = held_out(run, &plan, manifest.as_ref(), results.is_some(), &mut notes)?;
    let state = match (&results, DirectoryLock::is_taken(run)) {
        (Some(_), _) => RunState::Complete,
        (None, true) => RunState::GoingOn,
        (None, false) => RunState::Unfinished,
    };
    let (headline, headline_rows) = headline(&plan, results.as_ref(), held_out.as_ref(), &log)?;
    let kept_step = match &results {
        Some(results) => results["best_step"]
            .as_u64()
            .or_else(|| Some(log.last_step())),
        None => None,
    };
    let facts = RunFacts {
        name: name(run),
        state,
        setup: setup(&plan, manifest.as_ref()),
        headline,
        headline_rows,
        metric: plan.evaluation.metric_for_best_model.clone(),
        kept_step,
        held_out,
        lengths: lengths(manifest.as_ref()),
        changes: results
            .as_ref()
            .map(|results| changes(&plan, results))
            .unwrap_or_default(),
        times: times(manifest.as_ref(), &log),
        peak_memory: results
            .as_ref()
            .and_then(|all| all["peak_memory_bytes"].as_u64()),
        samples_per_second: results
            .as_ref()
            .and_then(|all| all["train"]["samples_per_second"].as_f64()),
        model_bytes: match run.join(layout::MODEL).is_dir() {
            true => Some(directory_size(&run.join(layout::MODEL))?),
            false => None,
        },
        plan: fs::read_to_string(run.join(layout::PLAN))
            .context("read", &run.join(layout::PLAN))?,
        manifest: manifest.as_ref().map(manifest_rows).unwrap_or_default(),
        sessions: manifest.as_ref().map(sessions).unwrap_or_default(),
        commands: commands(run, &plan, results.as_ref()),
        notes,
        log,
    };
    Ok(ReadRun {
        plan,
        results,
        facts,
    })
}

/// The name of a run is that of its directory.
fn name(run: &Path) -> String {
    let path = run.canonicalize().unwrap_or_else(|_| run.to_path_buf());
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| run.display().to_string())
}

fn results(run: &Path) -> Result<Option<Value>, Failure> {
    let path = run.join(layout::RESULTS);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::new("read", &path, error).into()),
    };
    let results = serde_json::from_slice(&text);
    let results = results.map_err(|error| {
        Failure::User(format!(
            "{} is damaged: {error}; restore it",
            path.display()
        ))
    })?;
    Ok(Some(results))
}

/// Reads the predictions, with the texts of the rows that are listed.
fn held_out(
    run: &Path,
    plan: &TrainPlan,
    manifest: Option<&Manifest>,
    is_complete: bool,
    notes: &mut Vec<String>,
) -> Result<Option<HeldOut>, Failure> {
    let read = match HeldOutLogits::read(run) {
        Err(error @ TrainError::Damaged { .. }) => {
            notes.push(format!("{error}, so predictions are left out."));
            return Ok(None);
        }
        other => other?,
    };
    let Some(read) = read.filter(|_| is_complete) else {
        return Ok(None);
    };
    let task = plan.outputs();
    if task.num_labels() != read.outputs {
        notes.push(format!(
            "{} has {} outputs and the plan {}, so predictions are left out.",
            layout::PREDICTIONS,
            read.outputs,
            task.num_labels()
        ));
        return Ok(None);
    }
    let places = rows::Places {
        split: read.split.clone(),
        files: read.files,
        places: read.places,
    };
    let mut held_out = HeldOut {
        split: read.split,
        task,
        outputs: read.outputs,
        logits: read.logits,
        targets: read.targets,
        thresholds: Vec::new(),
        lengths: read.lengths,
        texts: Default::default(),
    };
    let listed = held_out.listed();
    held_out.texts = rows::texts(&places, &listed, plan, manifest, notes);
    Ok(Some(held_out))
}

/// Returns the main results and the rows that they are of.
fn headline(
    plan: &TrainPlan,
    results: Option<&Value>,
    held_out: Option<&HeldOut>,
    log: &RunLog,
) -> Result<(Vec<Measure>, String), Failure> {
    let simple = |name: &str, value: f64| Measure {
        name: name.into(),
        value,
        interval: None,
        method: String::new(),
    };
    let Some(results) = results else {
        let Some(last) = log.validations().last() else {
            return Ok((Vec::new(), String::new()));
        };
        let mut names = vec![plan.evaluation.metric_for_best_model.as_str(), "loss"];
        names.dedup();
        let values = names
            .iter()
            .filter_map(|name| Some(simple(name, *last.metrics.get(*name)?)));
        let rows = format!("validation rows after step {}", count(last.step));
        return Ok((values.collect(), rows));
    };
    let split = if results["test"].is_object() {
        "test"
    } else {
        "validation"
    };
    let all = &results[split];
    if !all.is_object() {
        return Ok((Vec::new(), String::new()));
    }
    let mut measures = Vec::new();
    let intervals = all["confidence_intervals"].as_object();
    for (name, interval) in intervals.into_iter().flatten() {
        let bounds = interval["low"].as_f64().zip(interval["high"].as_f64());
        if let Some(value) = all[name].as_f64() {
            measures.push(Measure {
                name: name.clone(),
                value,
                interval: bounds.map(|(low, high)| [low, high]),
                method: "bootstrap of the rows, 1000 resamples".into(),
            });
        }
    }
    if let (true, Some(held_out)) = (measures.is_empty(), held_out) {
        let computed = held_out.measures().map_err(TrainError::from)?;
        measures = computed;
    }
    let more = match plan.pretraining {
        Some(_) => &["perplexity", "loss"][..],
        None => &["mcc", "spearman", "loss"],
    };
    for name in more {
        if let Some(value) = all[*name].as_f64() {
            measures.push(simple(name, value));
        }
    }
    let rows = all["rows"].as_u64().unwrap_or(0);
    Ok((measures, format!("{} {split} rows", count(rows))))
}

fn setup(plan: &TrainPlan, manifest: Option<&Manifest>) -> Setup {
    let task = plan.pretraining.is_none().then(|| plan.outputs());
    let machine = manifest.and_then(|manifest| manifest.sessions.last());
    Setup {
        model: plan.model.name.clone(),
        task,
        strategy: plan.model.strategy.to_string(),
        teacher: plan.distillation.as_ref().map(|plan| plan.teacher.clone()),
        dataset: dataset(plan),
        seed: plan.seed,
        machine: machine.map(|session| {
            let machine = &session.machine;
            format!(
                "{} ({}, {} threads)",
                machine.device, machine.cpu, machine.threads
            )
        }),
        precision: format!("{:?}", plan.model.precision).to_lowercase(),
    }
}

fn dataset(plan: &TrainPlan) -> String {
    let config = plan
        .data
        .dataset_config
        .as_ref()
        .filter(|config| !config.is_empty());
    let config = config.map(|config| format!(" ({config})"));
    format!("{}{}", plan.data.dataset, config.unwrap_or_default())
}

fn lengths(manifest: Option<&Manifest>) -> Vec<SplitLengths> {
    let splits = manifest.into_iter().flat_map(|manifest| &manifest.rows);
    let lengths = splits.map(|split| SplitLengths {
        split: split.name.clone(),
        rows: split.rows,
        truncated: split.truncated,
        mean: split.mean_tokens,
        p50: split.p50_tokens,
        p95: split.p95_tokens,
        max: split.max_tokens,
        width: split.length_width.max(1),
        counts: split.length_counts.clone(),
    });
    lengths.collect()
}

fn changes(plan: &TrainPlan, results: &Value) -> Vec<Change> {
    let names: Vec<&str> = match plan.pretraining {
        Some(_) => vec!["loss", "perplexity"],
        None => {
            let compared = objective::of(plan.data.problem_type).compared().iter();
            compared.map(|(name, _)| *name).collect()
        }
    };
    let change = |title: &str, columns: [&str; 2], first: &Value, second: &Value| {
        let read = |json: &Value| serde_json::from_value::<EvaluationRecord>(json.clone()).ok();
        let (first, second) = (read(first)?, read(second)?);
        let rows = names
            .iter()
            .map(|name| ((*name).to_owned(), first.get(name), second.get(name)));
        Some(Change {
            title: title.into(),
            columns: columns.map(String::from),
            rows: rows.collect(),
        })
    };
    let before = change(
        "Validation rows before and after training",
        ["before", "after"],
        &results["before"],
        &results["validation"],
    );
    let teacher = &results["teacher"];
    let split = if teacher["test"].is_object() {
        "test"
    } else {
        "validation"
    };
    let taught = change(
        "Teacher and student on the same rows",
        ["teacher", "student"],
        &teacher[split],
        &results[split],
    );
    before.into_iter().chain(taught).collect()
}

fn times(manifest: Option<&Manifest>, log: &RunLog) -> Times {
    let sessions = manifest.into_iter().flat_map(|manifest| &manifest.sessions);
    let ends: Vec<_> = sessions
        .filter_map(|session| session.end.as_ref())
        .collect();
    let sum = |part: fn(&SessionEnd) -> f64| -> f64 { ends.iter().map(|end| part(end)).sum() };
    let steps = log.finished.as_ref().and_then(|finished| finished.seconds);
    let steps = steps.unwrap_or_else(|| log.steps.iter().filter_map(|step| step.seconds).sum());
    let evaluation: f64 = log.validations().map(|point| point.seconds).sum();
    let training: f64 = sum(|end| end.train_seconds);
    Times {
        data: sum(|end| end.data_seconds),
        model: sum(|end| end.model_seconds),
        steps,
        evaluation,
        saving: (training - steps - evaluation).max(0.0),
        test: sum(|end| end.test_seconds),
    }
}

fn manifest_rows(manifest: &Manifest) -> Vec<(String, String)> {
    let model = &manifest.model;
    let mut rows = vec![("base model".to_owned(), model.name.clone())];
    let mut add = |what: &str, value: Option<&String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            rows.push((what.into(), value.clone()));
        }
    };
    add("its commit", model.commit.as_ref());
    add("SHA-256 of its weights", Some(&model.weights_sha256));
    add("SHA-256 of its tokenizer", Some(&model.tokenizer_sha256));
    add("SHA-256 of the adapter", model.adapter_sha256.as_ref());
    add("SHA-256 of the plan", Some(&manifest.plan_sha256));
    add(
        "commit of the data set",
        manifest.plan.data.dataset_revision.as_ref(),
    );
    for file in &manifest.data {
        let what = format!("data: {}", file.path.display());
        rows.push((
            what,
            format!("{} bytes, SHA-256 {}", count(file.bytes), file.sha256),
        ));
    }
    if let Some(result) = &manifest.result {
        let weights = &result.weights;
        let what = format!("result: {}", weights.path.display());
        rows.push((
            what,
            format!("{} bytes, SHA-256 {}", count(weights.bytes), weights.sha256),
        ));
    }
    rows
}

fn sessions(manifest: &Manifest) -> Vec<Session> {
    let sessions = manifest.sessions.iter().map(|session| {
        let end = session.end.as_ref().map(|end| {
            let reason = match &end.reason {
                StopReason::Completed => "all steps done".to_owned(),
                StopReason::EarlyStopping => "stopped early".into(),
                StopReason::Interrupted => "interrupted".into(),
                StopReason::Paused => "paused".into(),
                StopReason::Observer(reason) => reason.clone(),
            };
            format!("{reason} at step {}, {}", count(end.step), end.ended_at)
        });
        let (program, machine) = (&session.program, &session.machine);
        Session {
            started: session.started_at.clone(),
            first_step: session.first_step,
            end: end.unwrap_or_else(|| "none recorded: it is going on, or was killed".into()),
            program: format!("{} ({})", program.version, program.git_commit),
            machine: format!(
                "{}, {}, {}, {} threads",
                machine.os, machine.cpu, machine.device, machine.threads
            ),
        }
    });
    sessions.collect()
}

fn commands(run: &Path, plan: &TrainPlan, results: Option<&Value>) -> Vec<(String, String)> {
    let report = format!("{} report {}", program(), quote_path(run));
    let Some(results) = results else {
        return vec![
            ("Complete it".into(), resume_line(run)),
            ("Make this report again".into(), report),
        ];
    };
    let rows = results["validation"]["rows"].as_u64().unwrap_or(0);
    let lines = next::lines(plan, &run.join(layout::MODEL), rows);
    let mut commands: Vec<_> = lines
        .lines()
        .map(|line| ("Go on".to_owned(), line.trim().to_owned()))
        .collect();
    let replay = format!("{} replay {}", program(), quote_path(run));
    commands.push(("Train it again, and compare every bit".into(), replay));
    let report = format!("{report} --explain 10");
    commands.push(("Make this report again, with coloured words".into(), report));
    commands
}
