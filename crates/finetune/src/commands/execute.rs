//! Trains by a plan, for all commands that train.

use std::path::Path;

use burn::tensor::Device;
use finetune_data::TokenizedDataset;
use finetune_models::{MaskedLm, SequenceClassifier};
use finetune_train::{
    Classifier, Interruption, Observers, PausePoint, Prepared, RunDirectory, RunEnd, RunInputs,
    Start, Strategy, TrainError, TrainPlan, TrainedModel,
};

use crate::{
    cli::interrupt,
    commands::{program::program, report},
    error::Failure,
    resolve::loaded::Loaded,
    view::{
        output::say,
        predictions,
        progress::ProgressView,
        report::Report,
        shell::{self, quote_path},
    },
};

/// A model that commands train.
pub trait RunModel: TrainedModel {
    /// Runs a session of a run.
    ///
    /// # Errors
    /// Fails like [`RunDirectory::execute`].
    fn session(
        run: &mut RunDirectory,
        plan: &TrainPlan,
        start: Start<Self>,
        inputs: &RunInputs,
        observers: Observers<'_>,
    ) -> Result<RunEnd, TrainError>;
}

impl RunModel for SequenceClassifier {
    fn session(
        run: &mut RunDirectory,
        plan: &TrainPlan,
        start: Start,
        inputs: &RunInputs,
        observers: Observers<'_>,
    ) -> Result<RunEnd, TrainError> {
        run.execute(plan, start, inputs, observers)
    }
}

impl RunModel for MaskedLm {
    fn session(
        run: &mut RunDirectory,
        plan: &TrainPlan,
        start: Start<Self>,
        inputs: &RunInputs,
        observers: Observers<'_>,
    ) -> Result<RunEnd, TrainError> {
        run.pretrain(plan, start, inputs, observers)
    }
}

/// Returns the base model, ready for the first step, and prints a description.
pub fn fresh_start<M: TrainedModel>(loaded: &Loaded, prepared: Prepared<M>) -> Start<M> {
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

/// How training ended.
pub enum Ended {
    /// It is complete.
    Complete(Box<Report>),
    /// It has paused where it was told to, after this step.
    Paused(u64),
}

impl Ended {
    /// Prints the report, or how to go on.
    pub fn print(&self, plan: &TrainPlan, run: &RunDirectory, json: bool) {
        match self {
            Self::Complete(report) => report.print(plan, run, json),
            Self::Paused(step) => say!(
                "{}. Go on with\n  {}",
                Interruption::AtPause(*step),
                resume_line(run.path())
            ),
        }
    }
}

/// Trains and shows the progress, up to `pause` if there is one. The results are in `run`.
///
/// # Errors
/// Fails if training fails or is interrupted; the message says how to resume.
pub fn execute<M: RunModel>(
    plan: &TrainPlan,
    loaded: Loaded,
    start: Start<M>,
    run: &mut RunDirectory,
    pause: Option<PausePoint>,
) -> Result<Ended, Failure> {
    let Loaded {
        device,
        files,
        data,
        teacher,
        data_seconds,
        began,
        ..
    } = loaded;
    let observers = observers(plan).pausing(pause);
    let inputs = RunInputs {
        base: files.dir,
        commit: files.revision,
        data,
        teacher,
        program: program(),
        data_seconds,
        model_seconds: began.elapsed().as_secs_f64() - data_seconds,
    };
    let end = M::session(run, plan, start, &inputs, observers);
    let results = match end.map_err(|error| with_advice(error.into(), run))? {
        RunEnd::Complete(results) => *results,
        RunEnd::Interrupted(Interruption::AtPause(step)) => return Ok(Ended::Paused(step)),
        RunEnd::Interrupted(interruption) => return Err(interrupted(&interruption, run)),
    };
    report::leave(run.path());
    let raw_predictions = match plan.model.strategy {
        Strategy::Features => Some(raw_predictions(
            plan,
            &inputs.data.validation,
            &device,
            run,
        )?),
        _ => None,
    };
    Ok(Ended::Complete(Box::new(Report {
        results,
        raw_predictions,
    })))
}

/// Returns the observers of a run: those that show its progress and listen to signals.
pub fn observers(plan: &TrainPlan) -> Observers<'static> {
    Observers::default()
        .with(ProgressView::with_estimate(plan.data.train_rows.is_none()))
        .with(interrupt::OnSignal)
}

/// Returns the command that resumes a run.
pub fn resume_line(run: &Path) -> String {
    format!("{} resume {}", shell::program(), quote_path(run))
}

/// Returns the failure of an interrupted run, with the command that resumes it.
pub fn interrupted(what: &Interruption, run: &RunDirectory) -> Failure {
    let line = resume_line(run.path());
    Failure::Interrupted(format!("{what}. Resume with\n  {line}"))
}

/// Adds the command that resumes the run to an error, if the run has been started.
fn with_advice(error: Failure, run: &RunDirectory) -> Failure {
    match error {
        Failure::Internal(message) if run.has_begun() => Failure::Internal(format!(
            "{message}\nOnce that is fixed, resume from the newest checkpoint with\n  {}",
            resume_line(run.path())
        )),
        other => other,
    }
}

/// Number of rows whose raw predictions are shown.
const SHOWN_ROWS: u64 = 8;

/// Formats the model's predictions for the first validation rows.
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
