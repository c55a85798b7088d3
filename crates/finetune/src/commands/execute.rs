//! Training by a plan: what every command that trains has in common.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use finetune_data::TokenizedDataset;
use finetune_train::{
    Accumulator, Classifier, Event, Observers, Prepared, ReportTo, RunDirectory, Start, StopReason,
    Strategy, TensorboardLog, TrainError, TrainPlan, evaluate, train,
};
use serde_json::Value;

use crate::{
    cli::interrupt,
    commands::{
        manifest::{OpenManifest, Seconds},
        memory,
    },
    error::Failure,
    resolve::{loaded::Loaded, paths},
    view::{output::say, predictions, progress::ProgressView, report::Report, shell::quote_path},
};

/// The base model, ready for the first step, and what there is to say of it.
pub fn fresh_start(loaded: &Loaded, prepared: Prepared) -> Start {
    let start = Start::fresh(prepared);
    say!("{}", loaded.description);
    let report = &start.prepared.report;
    if !report.fresh.is_empty() {
        say!("        new weights: {}", report.fresh.join(", "));
    }
    for note in report.notes().iter().chain(&start.prepared.notes) {
        say!("note: {note}");
    }
    say!("{}", start.prepared.trainable_line());
    start
}

/// Trains, evaluates the result on the test rows, and leaves all of it in `run`.
pub fn execute(
    plan: &TrainPlan,
    loaded: Loaded,
    start: Start,
    run: &mut RunDirectory,
) -> Result<Report, Failure> {
    let base = loaded.files.dir.clone();
    // Of a run that goes on the plan is written last: until then it is that of the checkpoints.
    let goes_on = run.has_begun();
    run.set_train_files(loaded.train_files.clone());
    if !goes_on {
        run.begin(plan, &base)?;
    }
    let work = || {
        let manifest = OpenManifest::begin(run, plan, &loaded, start.state.step)?;
        if goes_on {
            run.begin(plan, &base)?;
        }
        train_and_evaluate(plan, &loaded, start, run, manifest)
    };
    let report = work();
    report.map_err(|error| with_advice(error, run))
}

fn train_and_evaluate(
    plan: &TrainPlan,
    loaded: &Loaded,
    start: Start,
    run: &RunDirectory,
    manifest: OpenManifest,
) -> Result<Report, Failure> {
    let parameters = (start.prepared.trainable, start.prepared.all);
    let mut seconds = Seconds {
        data: loaded.data_seconds,
        model: loaded.began.elapsed().as_secs_f64() - loaded.data_seconds,
        ..Seconds::default()
    };
    let (log, mended) = run.event_log(&start)?;
    if let Some(problem) = mended {
        say!(
            "note: {} was damaged ({problem}); it is brought back from the checkpoint",
            run.events().display()
        );
    }
    let mut observers = Observers::default()
        .with(log)
        .with(ProgressView::with_estimate(plan.data.train_rows.is_none()))
        .with(interrupt::OnSignal);
    if plan.saving.report_to == ReportTo::Tensorboard {
        observers = observers.with(tensorboard(plan, run, &start.state.observers)?);
    }
    let started = Instant::now();
    let outcome = train(plan, start, &loaded.data, run, &mut observers);
    let outcome = outcome.map_err(|error| match error.into() {
        Failure::Interrupted(_) => Failure::Interrupted("interrupted before the first step".into()),
        other => other,
    })?;
    seconds.train = started.elapsed().as_secs_f64();
    if outcome.reason == StopReason::Interrupted {
        manifest.end(&outcome, seconds, None)?;
        return Err(Failure::Interrupted(format!(
            "interrupted after step {}; a checkpoint is saved",
            outcome.steps
        )));
    }
    let mut report = Report {
        outcome,
        test: None,
        raw_predictions: None,
        parameters,
        peak_memory: None,
    };
    if plan.model.strategy == Strategy::Features {
        report.raw_predictions = Some(raw_predictions(plan, loaded, run)?);
    }
    if let Some(rows) = &loaded.test {
        let started = Instant::now();
        let predictions = evaluate_test(plan, loaded, rows, run, &mut observers)?;
        let predictions = Arc::new(predictions);
        observers.emit(&Event::Evaluated {
            split: "test",
            step: report.outcome.kept_step,
            epoch: report.outcome.kept_epoch,
            metrics: predictions.evaluation(),
            predictions: Arc::clone(&predictions),
            best: false,
            seconds: started.elapsed().as_secs_f64(),
        })?;
        report.test = Some(predictions);
        seconds.test = started.elapsed().as_secs_f64();
    }
    report.peak_memory = memory::peak_bytes();
    let results = report.json(run);
    manifest.end(&report.outcome, seconds, Some(&results))?;
    // Last: with it the run is complete.
    finetune_train::write_json(&run.results(), &results)?;
    Ok(report)
}

/// TensorBoard's event file: on from where a checkpoint was taken, or made anew from the event log.
fn tensorboard(
    plan: &TrainPlan,
    run: &RunDirectory,
    states: &BTreeMap<String, Value>,
) -> Result<TensorboardLog, TrainError> {
    let directory = run.path().join("tensorboard");
    let problem = match states.get(TensorboardLog::NAME) {
        Some(state) => match TensorboardLog::resume(&directory, state) {
            Ok(log) => return Ok(log),
            Err(error) => Some(error),
        },
        // A new run, one that ended before its first checkpoint, or one that was not reported so far.
        None => None,
    };
    let log = TensorboardLog::rebuild(&directory, plan, &run.events())?;
    if let Some(problem) = problem {
        say!(
            "note: {problem}; {} is made anew from {}, without the precision-recall curves so far",
            directory.display(),
            run.events().display()
        );
    }
    Ok(log)
}

/// What to type to go on with a run.
pub fn resume_line(run: &Path) -> String {
    format!("{} resume {}", paths::program(), quote_path(run))
}

/// An error of a run that has begun, with how to go on.
fn with_advice(error: Failure, run: &RunDirectory) -> Failure {
    match error {
        Failure::Interrupted(what) => {
            Failure::Interrupted(format!("{what}. Go on with\n  {}", resume_line(run.path())))
        }
        Failure::Internal(message) => Failure::Internal(format!(
            "{message}\nWhen that is mended, go on from the newest checkpoint with\n  {}",
            resume_line(run.path())
        )),
        other => other,
    }
}

/// Rows whose raw predictions are shown.
const SHOWN_ROWS: u64 = 8;

/// What the model says of the first validation rows.
fn raw_predictions(
    plan: &TrainPlan,
    loaded: &Loaded,
    run: &RunDirectory,
) -> Result<String, Failure> {
    let rows = &loaded.data.validation;
    let shown: Vec<_> = (0..rows.len().min(SHOWN_ROWS)).collect();
    let texts = rows.texts(&shown)?.into_iter();
    let texts: Vec<_> = texts.map(|row| (row.first, row.second)).collect();
    let mut classifier = Classifier::load_on(run.model(), &loaded.device)?;
    classifier.set_precision(plan.model.precision);
    let encoder = classifier.encoder(plan.data.max_length, plan.data.text_column.len() == 2)?;
    let predictions = classifier.predict_rows(&texts, &encoder)?;
    Ok(predictions::table(
        &texts,
        &predictions,
        classifier.outputs(),
    ))
}

/// The result on the test rows.
fn evaluate_test(
    plan: &TrainPlan,
    loaded: &Loaded,
    rows: &TokenizedDataset,
    run: &RunDirectory,
    observers: &mut Observers<'_>,
) -> Result<Accumulator, Failure> {
    let Loaded { device, files, .. } = loaded;
    let kept = run.model();
    let mut best = match plan.model.strategy.is_adapter() {
        true => Classifier::load_adapter(&files.dir, &kept, device)?,
        false => Classifier::load_on(&kept, device)?,
    };
    best.set_precision(plan.model.precision);
    let batch_size = plan.evaluation.eval_batch_size;
    let evaluated = evaluate(best.model(), rows, None, "test", batch_size, observers);
    evaluated.map_err(|error| match error.into() {
        Failure::Interrupted(_) => Failure::Interrupted(format!(
            "interrupted while evaluating the test rows; training is complete, its result is in {}",
            kept.display()
        )),
        other => other,
    })
}
