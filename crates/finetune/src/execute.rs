//! Training by a plan: what every command that trains has in common.

use burn::tensor::Device;
use finetune_data::TokenizedDataset;
use finetune_hub::ModelFiles;
use finetune_models::ModelConfig;
use finetune_train::{
    Accumulator, Classifier, Observers, Prepared, RunDirectory, TrainData, TrainPlan, device,
    evaluate, load_tokenizer, prepare, train,
};

use crate::{
    data::describe, error::Failure, interrupt, model, progress::ProgressView, report::Report,
    rows::Rows,
};

/// All that a plan names, loaded.
pub struct Loaded {
    device: Device,
    files: ModelFiles,
    data: TrainData,
    test: Option<TokenizedDataset>,
    /// The model.
    pub prepared: Prepared,
}

/// Tokenizes the rows, loads the base model, and says what there is.
pub fn load(plan: &TrainPlan, rows: &Rows, files: ModelFiles) -> Result<Loaded, Failure> {
    let device = device(&plan.device)?;
    let config = ModelConfig::from_directory(&files.dir)?;
    let tokenizer = load_tokenizer(&files.dir, &config)?;
    let (data, test) = rows.tokenize(plan.max_length, &tokenizer)?;
    let prepared = prepare(plan, &files.dir, &device)?;
    let loaded = &prepared.report;
    eprintln!("model   {} ({})", files.name, model::describe(files.source));
    if !loaded.fresh.is_empty() {
        eprintln!("        new weights: {}", loaded.fresh.join(", "));
    }
    if !loaded.unexpected.is_empty() {
        eprintln!("        unused weights: {}", loaded.unexpected.join(", "));
    }
    eprintln!("data    {}: {}", rows.dataset, rows.describe_labels());
    eprintln!("        train {}", describe(&data.train));
    for note in &prepared.notes {
        eprintln!("note: {note}");
    }
    eprintln!("{}", prepared.trainable_line());
    Ok(Loaded {
        device,
        files,
        data,
        test,
        prepared,
    })
}

/// Trains, evaluates the best model on the test rows, and leaves all of it in `run`.
pub fn execute(
    plan: &TrainPlan,
    loaded: Loaded,
    run: &mut RunDirectory,
) -> Result<Report, Failure> {
    let Loaded {
        device,
        files,
        data,
        test,
        prepared,
    } = loaded;
    let parameters = (prepared.trainable, prepared.all);
    run.begin(plan, &files.dir)?;
    let mut observers = Observers::default()
        .with(run.event_log()?)
        .with(ProgressView::default());
    let outcome = train(
        plan,
        prepared,
        &data,
        run,
        &mut observers,
        &interrupt::requested,
    )?;
    let mut report = Report {
        outcome,
        test: None,
        parameters,
    };
    if report.outcome.interrupted {
        return Err(Failure::Interrupted(report.interrupted(run)));
    }
    if let Some(rows) = &test {
        report.test = Some(evaluate_test(plan, &files, rows, &device, run, observers)?);
    }
    let results = run.path().join("results.json");
    finetune_train::write_json(&results, &report.json(run))?;
    Ok(report)
}

/// The best model on the test rows.
fn evaluate_test(
    plan: &TrainPlan,
    files: &ModelFiles,
    rows: &TokenizedDataset,
    device: &Device,
    run: &RunDirectory,
    observers: Observers<'_>,
) -> Result<Accumulator, Failure> {
    let kept = run.model();
    let best = match plan.strategy.is_adapter() {
        true => Classifier::load_adapter(&files.dir, &kept, device)?,
        false => Classifier::load(&kept, device)?,
    };
    let mut observers = observers.with(interrupt::EndsEvaluation);
    let batch_size = plan.eval_batch_size;
    let evaluated = evaluate(best.model(), rows, "test", batch_size, &mut observers);
    evaluated.map_err(|error| match error.into() {
        Failure::Interrupted(_) => Failure::Interrupted(format!(
            "interrupted while evaluating the test rows; training is complete, its best model is in {}",
            kept.display()
        )),
        other => other,
    })
}
