//! `finetune train`.

use std::process::ExitCode;

use burn::module::Module;
use finetune_data::{
    Columns, Dataset, LabelSchema, Split, TextTokenizer, TokenizedDataset,
    check_classes_in_training,
};
use finetune_hub::{DEFAULT_MODEL, ModelFiles};
use finetune_models::{ModelConfig, SequenceClassifier};
use finetune_train::{
    AdamWConfig, Evaluation, Observers, Outcome, RunDirectory, Strategy, TrainData, TrainPlan,
    device, evaluate, load_tokenizer, resolve_auto, train,
};
use serde_json::json;

use crate::{
    args::TrainArguments,
    data::{describe, tokenize},
    error::Failure,
    interrupt, memory, model,
    output::print,
    paths,
    progress::{ProgressView, count, headline},
    summary,
    train_options::{ProblemType, TrainOptions},
};

pub fn run(arguments: TrainArguments) -> Result<ExitCode, Failure> {
    let file = match &arguments.config {
        Some(path) => TrainOptions::from_file(path)?,
        None => TrainOptions::default(),
    };
    let options = arguments.options.over(file);
    interrupt::listen()?;

    // Whatever can be refused is refused before the first download.
    let device_name = resolve_auto(options.device.as_deref().unwrap_or("auto"));
    let device = device(&device_name)?;
    let strategy = options.strategy.as_deref().unwrap_or("full");
    let strategy: Strategy = strategy.parse().map_err(Failure::User)?;
    let rows = Rows::choose(&options)?;
    let output = options
        .output
        .clone()
        .unwrap_or_else(|| paths::default_run(&rows.dataset));
    let mut run = RunDirectory::create(&output)?;

    let name = options.model.as_deref().unwrap_or(DEFAULT_MODEL);
    let files = model::resolve(name, options.revision.as_deref())?;
    let config = ModelConfig::from_directory(&files.dir)?;
    let tokenizer = load_tokenizer(&files.dir, &config)?;
    let max_length = max_length(options.max_length, &config)?;
    let plan = plan(
        &options,
        &rows,
        &files,
        strategy,
        max_length,
        device_name,
        &run,
    )?;
    plan.check()?;

    let (data, test) = rows.tokenize(&plan, &tokenizer)?;
    let (model, loaded) =
        SequenceClassifier::load(&files.dir, Some(plan.outputs()), plan.seed, &device)?;
    eprintln!("model   {} ({})", files.name, model::describe(files.source));
    if !loaded.fresh.is_empty() {
        eprintln!("        new weights: {}", loaded.fresh.join(", "));
    }
    if !loaded.unexpected.is_empty() {
        eprintln!("        unused weights: {}", loaded.unexpected.join(", "));
    }
    eprintln!("data    {}: {}", rows.dataset, rows.describe_labels());
    eprintln!("        train {}", describe(&data.train));
    let parameters = model.num_params();

    run.begin(&plan, &files.dir)?;
    let mut observers = Observers::default()
        .with(run.event_log()?)
        .with(ProgressView::default());
    let outcome = train(
        &plan,
        model,
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
            let (best, _) = SequenceClassifier::load(&run.model(), None, plan.seed, &device)?;
            let mut observers = observers.with(interrupt::EndsEvaluation);
            let batch_size = plan.eval_batch_size;
            let evaluated = evaluate(&best, &rows, "test", batch_size, &mut observers);
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

/// The rows of a run, their columns and labels.
struct Rows {
    dataset: String,
    train: Split,
    train_name: String,
    validation: Split,
    validation_name: String,
    test: Option<(Split, String)>,
    columns: Columns,
    labels: LabelSchema,
}

impl Rows {
    fn choose(options: &TrainOptions) -> Result<Self, Failure> {
        let Some(path) = options.dataset.clone() else {
            return Err(Failure::User(
                "no data: name a file, a directory with one file per split, or a glob with --dataset".into(),
            ));
        };
        let dataset = Dataset::open(&path)?;
        let seed = options.seed.unwrap_or(42);
        let train_name = options
            .train_split
            .clone()
            .unwrap_or_else(|| "train".into());
        let whole_train = dataset.split(&train_name)?;
        let columns = Columns::resolve(
            &whole_train,
            &options.text_column,
            options.label_column.as_deref(),
            true,
        )?;
        let test_name = match &options.test_split {
            Some(name) => Some(name.clone()).filter(|name| !name.is_empty()),
            None => dataset.has_split("test").then(|| "test".to_string()),
        };
        let test = match test_name {
            Some(name) => Some((dataset.split(&name)?, name)),
            None => None,
        };
        let validation_name = match &options.validation_split {
            Some(name) => name.clone(),
            None if dataset.has_split("validation") => "validation".into(),
            None => String::new(),
        };
        let named_validation = match validation_name.is_empty() {
            true => None,
            false => Some(dataset.split(&validation_name)?),
        };

        let splits: Vec<&Split> = [Some(&whole_train), named_validation.as_ref()]
            .into_iter()
            .chain([test.as_ref().map(|(split, _)| split)])
            .flatten()
            .collect();
        let regression = options
            .problem_type
            .map(|kind| kind == ProblemType::Regression);
        let names = Some(options.labels.as_slice()).filter(|names| !names.is_empty());
        let labels = LabelSchema::infer(&splits, &columns, names, regression)?;
        let (train, validation) = match named_validation {
            Some(validation) => (whole_train, validation),
            None => {
                let fraction = options.validation_fraction.unwrap_or(0.1);
                let rows = whole_train.len();
                let parts =
                    whole_train.stratified_split(&columns, Some(&labels), fraction, seed)?;
                if parts.1.is_empty() {
                    return Err(Failure::User(format!(
                        "{path} has no validation split, and a share of {fraction} of its {rows} training rows, of which each class keeps one, is no row; use more rows, a larger --validation-fraction, or name rows with --validation-split"
                    )));
                }
                parts
            }
        };
        Ok(Self {
            dataset: path,
            train: train.shuffle_take(seed, options.train_rows.unwrap_or(1000))?,
            train_name,
            validation: validation.shuffle_take(seed, options.eval_rows.unwrap_or(200))?,
            validation_name,
            test,
            columns,
            labels,
        })
    }

    /// Tokenizes all splits and checks that training has every class.
    fn tokenize(
        &self,
        plan: &TrainPlan,
        tokenizer: &TextTokenizer,
    ) -> Result<(TrainData, Option<TokenizedDataset>), Failure> {
        let tokens = |split: &Split| {
            tokenize(
                split,
                &self.columns,
                &self.labels,
                tokenizer,
                plan.max_length,
            )
        };
        let data = TrainData {
            train: tokens(&self.train)?,
            validation: tokens(&self.validation)?,
        };
        let test = match &self.test {
            Some((split, _)) => Some(tokens(split)?),
            None => None,
        };
        let names = self.labels.class_names();
        let training = data.train.class_counts();
        check_classes_in_training(
            names,
            training,
            data.validation.class_counts(),
            "validation",
        )?;
        if let Some(test) = &test {
            check_classes_in_training(names, training, test.class_counts(), "test")?;
        }
        Ok((data, test))
    }

    fn describe_labels(&self) -> String {
        match &self.labels {
            LabelSchema::Regression => "labels are numbers".into(),
            LabelSchema::Classes(names) if names.len() <= 12 => {
                format!("classes {}", names.join(", "))
            }
            LabelSchema::Classes(names) => format!("{} classes", names.len()),
        }
    }
}

/// The longest row, within what the model takes.
fn max_length(wanted: Option<usize>, config: &ModelConfig) -> Result<usize, Failure> {
    let longest = config.max_position_embeddings;
    match wanted {
        Some(length) if length > longest => Err(Failure::User(format!(
            "--max-length {length} is more than the model takes: its max_position_embeddings is {longest}"
        ))),
        Some(length) => Ok(length),
        None => Ok(longest.min(256)),
    }
}

/// The plan: every default filled in.
fn plan(
    options: &TrainOptions,
    rows: &Rows,
    files: &ModelFiles,
    strategy: Strategy,
    max_length: usize,
    device: String,
    run: &RunDirectory,
) -> Result<TrainPlan, Failure> {
    let labels = rows.labels.class_names().to_vec();
    let metric = options.metric_for_best_model.clone();
    let default_metric = if labels.is_empty() { "mse" } else { "accuracy" };
    Ok(TrainPlan {
        model: files.name.clone(),
        model_sha256: files.weights_sha256.clone(),
        dataset: rows.dataset.clone(),
        train_split: rows.train_name.clone(),
        validation_split: rows.validation_name.clone(),
        validation_fraction: options.validation_fraction.unwrap_or(0.1),
        test_split: rows
            .test
            .as_ref()
            .map(|(_, name)| name.clone())
            .unwrap_or_default(),
        text_column: rows.columns.text.clone(),
        label_column: rows.columns.label.clone().unwrap_or_default(),
        labels,
        strategy,
        epochs: options.epochs.unwrap_or(3.0),
        max_steps: options.max_steps.unwrap_or(0),
        train_rows: options.train_rows.unwrap_or(1000),
        eval_rows: options.eval_rows.unwrap_or(200),
        batch_size: options.batch_size.unwrap_or(16),
        eval_batch_size: options.eval_batch_size.unwrap_or(32),
        learning_rate: options.learning_rate.unwrap_or(5e-5),
        warmup_ratio: options.warmup_ratio.unwrap_or(0.1),
        optimizer: AdamWConfig {
            beta_1: options.adam_beta1.unwrap_or(0.9),
            beta_2: options.adam_beta2.unwrap_or(0.999),
            epsilon: options.adam_epsilon.unwrap_or(1e-8),
            weight_decay: options.weight_decay.unwrap_or(0.01),
        },
        max_grad_norm: options.max_grad_norm.unwrap_or(1.0),
        max_length,
        length_buckets: options.length_buckets.unwrap_or(0),
        seed: options.seed.unwrap_or(42),
        device,
        metric_for_best_model: metric.unwrap_or_else(|| default_metric.into()),
        output: run.path().display().to_string(),
    })
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
    parameters: usize,
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
    results["parameters"] = json!({"total": parameters, "trainable": parameters});
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
