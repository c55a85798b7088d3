//! Training by a plan: what every command that trains has in common.

use std::path::Path;

use burn::tensor::Device;
use finetune_data::TokenizedDataset;
use finetune_train::{
    Classifier, Interruption, Observers, Prepared, RunDirectory, RunEnd, RunInputs, Start,
    Strategy, TrainPlan,
};

use crate::{
    cli::interrupt,
    commands::program::program,
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

/// Trains, and shows how it goes. The results lie in `run`.
pub fn execute(
    plan: &TrainPlan,
    loaded: Loaded,
    start: Start,
    run: &mut RunDirectory,
) -> Result<Report, Failure> {
    let Loaded {
        device,
        files,
        data,
        data_seconds,
        began,
        ..
    } = loaded;
    let observers = Observers::default()
        .with(ProgressView::with_estimate(plan.data.train_rows.is_none()))
        .with(interrupt::OnSignal);
    let inputs = RunInputs {
        base: files.dir,
        commit: files.revision,
        data,
        program: program(),
        data_seconds,
        model_seconds: began.elapsed().as_secs_f64() - data_seconds,
    };
    let end = run.execute(plan, start, &inputs, observers);
    let results = match end.map_err(|error| with_advice(error.into(), run))? {
        RunEnd::Complete(results) => *results,
        RunEnd::Interrupted(interruption) => return Err(interrupted(&interruption, run)),
    };
    let raw_predictions = match plan.model.strategy {
        Strategy::Features => Some(raw_predictions(
            plan,
            &inputs.data.validation,
            &device,
            run,
        )?),
        _ => None,
    };
    Ok(Report {
        results,
        raw_predictions,
    })
}

/// What to type to go on with a run.
pub fn resume_line(run: &Path) -> String {
    format!("{} resume {}", paths::program(), quote_path(run))
}

/// A run that is left, with how to go on.
fn interrupted(what: &Interruption, run: &RunDirectory) -> Failure {
    let line = resume_line(run.path());
    Failure::Interrupted(format!("{what}. Go on with\n  {line}"))
}

/// An error of a run that has begun, with how to go on.
fn with_advice(error: Failure, run: &RunDirectory) -> Failure {
    match error {
        Failure::Internal(message) if run.has_begun() => Failure::Internal(format!(
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
    rows: &TokenizedDataset,
    device: &Device,
    run: &RunDirectory,
) -> Result<String, Failure> {
    let shown: Vec<_> = (0..rows.len().min(SHOWN_ROWS)).collect();
    let texts = rows.texts(&shown)?.into_iter();
    let texts: Vec<_> = texts.map(|row| (row.first, row.second)).collect();
    let mut classifier = Classifier::load_on(run.model(), device)?;
    classifier.set_precision(plan.model.precision);
    let encoder = classifier.encoder(plan.data.max_length, plan.data.text_column.len() == 2)?;
    let predictions = classifier.predict_rows(&texts, &encoder)?;
    Ok(predictions::table(
        &texts,
        &predictions,
        classifier.outputs(),
    ))
}
