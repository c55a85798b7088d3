//! `finetune train`.

use std::process::ExitCode;

use finetune_models::ModelConfig;
use finetune_train::{
    Classifier, Evaluation, Observers, Outcome, RunDirectory, TrainPlan, device, evaluate,
    load_tokenizer, prepare, resolve_auto, train,
};
use serde_json::json;

use crate::{
    args::TrainArguments,
    data::describe,
    error::Failure,
    interrupt, memory, model,
    output::print,
    paths,
    plan::{plan, with_model},
    progress::{ProgressView, count, headline},
    rows::Rows,
    settings, summary,
};

pub fn run(arguments: TrainArguments) -> Result<ExitCode, Failure> {
    let file = settings::read(arguments.config.as_deref(), &arguments.set)?;
    let options = arguments.options.over(file);
    interrupt::listen()?;

    // Whatever can be refused is refused before the first download.
    let device_name = resolve_auto(options.device.as_deref().unwrap_or("auto"));
    let device = device(&device_name)?;
    let rows = Rows::choose(&options)?;
    let output = options
        .output
        .clone()
        .unwrap_or_else(|| paths::default_run(&rows.dataset));
    let mut run = RunDirectory::create(&output)?;

    let plan = plan(&options, &rows, device_name, &run)?;

    let files = model::resolve(&plan.model, options.revision.as_deref())?;
    let config = ModelConfig::from_directory(&files.dir)?;
    let tokenizer = load_tokenizer(&files.dir, &config)?;
    let plan = with_model(plan, &options, &files, &config)?;
    let (data, test) = rows.tokenize(plan.max_length, &tokenizer)?;
    let prepared = prepare(&plan, &files.dir, &device)?;
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
    if arguments.list_trainable {
        eprintln!("  {}", prepared.names.join("\n  "));
    }
    let parameters = (prepared.trainable, prepared.all);

    run.begin(&plan, &files.dir)?;
    let mut observers = Observers::default()
        .with(run.event_log()?)
        .with(ProgressView::default());
    let outcome = train(
        &plan,
        prepared,
        &data,
        &mut run,
        &mut observers,
        &interrupt::requested,
    )?;
    if outcome.interrupted {
        return Err(Failure::Interrupted(interrupted_message(&outcome, &run)));
    }

    let test = match test {
        None => None,
        Some(rows) => {
            let kept = run.model();
            let best = match plan.strategy.is_adapter() {
                true => Classifier::load_adapter(&files.dir, &kept, &device)?,
                false => Classifier::load(&kept, &device)?,
            };
            let mut observers = observers.with(interrupt::EndsEvaluation);
            let batch_size = plan.eval_batch_size;
            let evaluated = evaluate(best.model(), &rows, "test", batch_size, &mut observers);
            Some(evaluated.map_err(|error| match error.into() {
                Failure::Interrupted(_) => Failure::Interrupted(format!(
                    "interrupted while evaluating the test rows; training is complete, its best model is in {}",
                    run.model().display()
                )),
                other => other,
            })?)
        }
    };
    let test_metrics = test.as_ref().map(|all| all.evaluation());
    let results = results(&outcome, test_metrics.as_ref(), parameters, &run);
    finetune_train::write_json(&run.path().join("results.json"), &results)?;
    if arguments.json {
        print(&format!("{results}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let (Some(all), Some(metrics)) = (&test, &test_metrics) {
        let (headline, tables) = (headline(metrics), summary::tables(all));
        print(&format!("\ntest    {headline}\n\n{tables}\n"))?;
    }
    print(&next(&plan, &outcome, &run))?;
    Ok(ExitCode::SUCCESS)
}

fn interrupted_message(outcome: &Outcome, run: &RunDirectory) -> String {
    let model = run.model();
    let model = model.display();
    match &outcome.best {
        Some(best) => format!(
            "interrupted after step {}; kept in {model}: the best model so far, of step {}",
            outcome.steps, best.step
        ),
        None => format!(
            "interrupted after step {}, before the first evaluation; kept in {model}: the model as it was then",
            outcome.steps
        ),
    }
}

/// The results as JSON: of the whole run, with the metrics of the model that was kept.
fn results(
    outcome: &Outcome,
    test: Option<&Evaluation>,
    (trainable, all): (u64, u64),
    run: &RunDirectory,
) -> serde_json::Value {
    let mut results = json!({
        "train": {
            "loss": outcome.loss,
            "seconds": outcome.seconds,
            "samples_per_second": outcome.samples_per_second,
            "steps": outcome.steps,
        },
        "validation": outcome.best.as_ref().map(|best| summary::json(&best.evaluation)),
        "best_step": outcome.best.as_ref().map(|best| best.step),
    });
    if let Some(test) = test {
        results["test"] = summary::json(test);
    }
    results["peak_memory_bytes"] = json!(memory::peak_bytes());
    results["parameters"] = json!({"total": all, "trainable": trainable});
    results["output"] = json!(run.path().display().to_string());
    results
}

/// What was done, and what to type next.
fn next(plan: &TrainPlan, outcome: &Outcome, run: &RunDirectory) -> String {
    let peak = memory::peak_bytes().map_or_else(String::new, |bytes| {
        format!(", {:.2} GB of memory at most", bytes as f64 / 1e9)
    });
    let model = run.model();
    let (model, program) = (model.display(), paths::program());
    let (steps, dataset) = (count(outcome.steps), &plan.dataset);
    let (seconds, speed) = (outcome.seconds, outcome.samples_per_second);
    format!(
        "trained {steps} steps in {seconds:.0} s, {speed:.1} samples/s{peak}\n\
         saved   {model}\n\n\
         Next:\n  \
         {program} predict --model {model} \"a text of yours\"\n  \
         {program} evaluate --model {model} --dataset {dataset}\n"
    )
}
