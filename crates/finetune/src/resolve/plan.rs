//! From options to the plan.

use std::path::Path;

use finetune_data::{ProblemType, TokenizedDataset};
use finetune_hub::DEFAULT_MODEL;
use finetune_models::{ModelConfig, modules};
use finetune_peft::{AdapterFile, PeftConfig};
use finetune_train::{
    IntervalStrategy, OptimizerConfig, ScheduleConfig, Strategy, TrainPlan, Trainable,
    balanced_weights, check_metric,
};

use crate::{
    cli::{
        settings,
        train_options::{ClassWeights, TrainOptions},
    },
    commands::execute::Loaded,
    error::Failure,
    resolve::{intervals::Intervals, model, rows::Rows, run_model, special_files},
    view::output::say,
};

/// More steps than any run takes.
const MOST_STEPS: f64 = 1e9;

/// The plan with every default filled in and checked, as far as it can be without the model's
/// files; [`with_model`] does the rest.
pub fn plan(
    options: &TrainOptions,
    rows: &Rows,
    device: String,
    output: &Path,
) -> Result<TrainPlan, Failure> {
    let (strategy, adapter) = strategy(options)?;
    let (adapter_base, adapter_revision) = match (&options.model, adapter) {
        (None, Some((base, revision))) => (Some(base), revision),
        _ => (None, None),
    };
    let problem_type = rows.labels.problem_type();
    let metric = options.metric_for_best_model.clone();
    let default_metric = match problem_type {
        ProblemType::SingleLabelClassification => "accuracy",
        // Without a threshold: the F1 of rare labels is 0 until some probability exceeds a half.
        ProblemType::MultiLabelClassification => "average_precision",
        ProblemType::Regression => "mse",
    };
    let learning_rate = options
        .learning_rate
        .unwrap_or(strategy.default_learning_rate());
    let intervals = Intervals::new(options, &strategy)?;
    let (warmup_ratio, warmup_steps) = warmup(options)?;
    let defaults = TrainPlan::default();
    let plan = TrainPlan {
        model: options
            .model
            .as_deref()
            .map(run_model::resolve)
            .transpose()?
            .or(adapter_base)
            .unwrap_or_else(|| DEFAULT_MODEL.into()),
        revision: options
            .revision
            .clone()
            .or(adapter_revision)
            .unwrap_or_default(),
        dataset: rows.dataset.clone(),
        dataset_config: rows.dataset_config.clone(),
        dataset_revision: rows.dataset_revision.clone(),
        train_split: rows.train_name.clone(),
        validation_split: rows.validation_name.clone(),
        validation_fraction: options
            .validation_fraction
            .unwrap_or(defaults.validation_fraction),
        test_split: rows.test_name(),
        csv: options.csv(),
        text_column: rows.columns.text.clone(),
        label_column: rows.columns.label.clone(),
        labels: rows.labels.names().to_vec(),
        labels_by_position: rows.columns.labels_by_position,
        problem_type,
        label_separator: options.label_separator,
        skip_invalid: options.skip_invalid.unwrap_or_default(),
        adapter: options.adapter.clone().unwrap_or_default(),
        frozen_dropout: options.frozen_dropout.unwrap_or(defaults.frozen_dropout),
        unfreeze_every: options.unfreeze_every.unwrap_or(defaults.unfreeze_every),
        epochs: options.epochs.unwrap_or(defaults.epochs),
        max_steps: options.max_steps.unwrap_or(defaults.max_steps),
        train_rows: options.train_rows.unwrap_or(defaults.train_rows),
        eval_rows: options.eval_rows.unwrap_or(defaults.eval_rows),
        batch_size: options.batch_size.unwrap_or(defaults.batch_size),
        batch_tokens: batch_tokens(options)?,
        gradient_accumulation_steps: options
            .gradient_accumulation_steps
            .unwrap_or(defaults.gradient_accumulation_steps),
        auto_find_batch_size: options
            .auto_find_batch_size
            .unwrap_or(defaults.auto_find_batch_size),
        eval_batch_size: options.eval_batch_size.unwrap_or(defaults.eval_batch_size),
        learning_rate,
        head_learning_rate: options.head_learning_rate.unwrap_or(learning_rate),
        layerwise_lr_decay: options
            .layerwise_lr_decay
            .unwrap_or(defaults.layerwise_lr_decay),
        strategy,
        warmup_ratio,
        warmup_steps,
        schedule: schedule(options)?,
        optimizer: optimizer(options)?,
        weight_decay: options.weight_decay.unwrap_or(defaults.weight_decay),
        max_grad_norm: options.max_grad_norm.unwrap_or(defaults.max_grad_norm),
        label_smoothing_factor: options
            .label_smoothing_factor
            .unwrap_or(defaults.label_smoothing_factor),
        ema_decay: options.ema_decay.unwrap_or(defaults.ema_decay),
        max_length: options.max_length.unwrap_or(defaults.max_length),
        length_buckets: options.length_buckets.unwrap_or(defaults.length_buckets),
        seed: options.seed.unwrap_or(defaults.seed),
        precision: options.precision.unwrap_or_default().resolve(&device),
        device,
        eval_strategy: intervals.eval.0,
        eval_steps: intervals.eval.1,
        eval_on_start: options.eval_on_start.unwrap_or(defaults.eval_on_start),
        save_strategy: intervals.save.0,
        save_steps: intervals.save.1,
        save_total_limit: options
            .save_total_limit
            .unwrap_or(defaults.save_total_limit),
        save_bytes_limit: options
            .save_bytes_limit
            .unwrap_or(defaults.save_bytes_limit),
        logging_strategy: intervals.logging.0,
        logging_steps: intervals.logging.1,
        load_best_model_at_end: intervals.load_best,
        metric_for_best_model: metric.unwrap_or_else(|| default_metric.into()),
        early_stopping_patience: options
            .early_stopping_patience
            .unwrap_or(defaults.early_stopping_patience),
        early_stopping_threshold: options
            .early_stopping_threshold
            .unwrap_or(defaults.early_stopping_threshold),
        feature_cache: options.feature_cache.unwrap_or_default(),
        report_to: options.report_to.unwrap_or_default(),
        output: output.display().to_string(),
        lora: options.lora.clone(),
        ia3: options.ia3.clone(),
        ..defaults
    };
    plan.check()?;
    Ok(plan)
}

/// Tokens of a batch; 0: it is cut by rows.
fn batch_tokens(options: &TrainOptions) -> Result<usize, Failure> {
    match (options.batch_tokens.unwrap_or_default(), options.batch_size) {
        (tokens @ 1.., Some(rows)) => Err(Failure::User(format!(
            "batch_size is {rows} and batch_tokens {tokens}, but a batch is cut by one of them; leave the other out"
        ))),
        (tokens, _) => Ok(tokens),
    }
}

/// Share and number of the steps of warm-up; where one counts, the other is 0.
fn warmup(options: &TrainOptions) -> Result<(f64, u64), Failure> {
    let ratio = options.warmup_ratio;
    let Some(steps) = options.warmup_steps else {
        return Ok((ratio.unwrap_or(TrainPlan::default().warmup_ratio), 0));
    };
    if let Some(ratio) = ratio {
        say!(
            "note: warmup_steps is {steps} and warmup_ratio {ratio}; the steps count, as in transformers"
        );
    }
    match steps {
        // As in transformers, a number below 1 is a share.
        0.0..1.0 => Ok((steps, 0)),
        1.0..=MOST_STEPS if steps.fract() == 0.0 => Ok((0.0, steps as u64)),
        _ => Err(Failure::User(format!(
            "warmup_steps is {steps}; expected a whole number of steps up to {MOST_STEPS}, or a share of them below 1"
        ))),
    }
}

/// The schedule by its type and its settings.
fn schedule(options: &TrainOptions) -> Result<ScheduleConfig, Failure> {
    let mut table = options.lr_scheduler_kwargs.clone().unwrap_or_default();
    if let Some(kind) = &options.lr_scheduler_type {
        table.insert("lr_scheduler_type".into(), kind.clone().into());
    }
    settings::from_table(table, "lr_scheduler_kwargs")
}

/// The optimizer by its name and its settings.
fn optimizer(options: &TrainOptions) -> Result<OptimizerConfig, Failure> {
    let mut table = options.optim_args.clone().unwrap_or_default();
    let own = table.get("optim").and_then(|name| name.as_str());
    let name = options.optim.clone().or_else(|| own.map(str::to_string));
    let name = name.unwrap_or_else(|| "adamw".into());
    table.insert("optim".into(), name.clone().into());
    let adam = [
        ("adam_beta1", options.adam_beta1),
        ("adam_beta2", options.adam_beta2),
        ("adam_epsilon", options.adam_epsilon),
    ];
    for (key, value) in adam {
        let Some(value) = value else { continue };
        if !name.starts_with("adam") {
            return Err(Failure::User(format!(
                "{key} is for adamw and adam, but optim is {name}; its own settings are optim_args.*"
            )));
        }
        table.insert(key.into(), value.into());
    }
    settings::from_table(table, "optim_args")
}

/// Name and revision of a base model.
type BaseName = (String, Option<String>);

/// What is trained, and the base model of the adapter that the run goes on with.
fn strategy(options: &TrainOptions) -> Result<(Strategy, Option<BaseName>), Failure> {
    let named = options.strategy.as_deref().map(str::parse::<Strategy>);
    let named = named.transpose().map_err(Failure::User)?;
    let Some(directory) = &options.adapter else {
        return Ok((named.unwrap_or_default(), None));
    };
    special_files::refuse_in(Path::new(directory))?;
    let file = AdapterFile::read(Path::new(directory))?;
    let own = match file.config {
        PeftConfig::Lora(_) => Strategy::Lora,
        PeftConfig::Ia3(_) => Strategy::Ia3,
    };
    if let Some(named) = named.filter(|named| *named != own) {
        return Err(Failure::User(format!(
            "{directory} is an adapter of strategy {own}, but --strategy says {named}; leave it out"
        )));
    }
    let base = match &options.model {
        Some(_) => None,
        None => Some(model::base_name(Path::new(directory), &file)?),
    };
    Ok((own, base.map(|base| (base, file.revision))))
}

/// The plan with what only the model's configuration tells.
pub fn with_model(
    mut plan: TrainPlan,
    options: &TrainOptions,
    config: &ModelConfig,
) -> Result<TrainPlan, Failure> {
    let (longest, rows) = (config.longest_sequence(), config.max_position_embeddings);
    plan.max_length = match options.max_length {
        Some(length) if length > longest => {
            return Err(Failure::User(format!(
                "--max-length {length} is more than the model takes: its max_position_embeddings is {rows}{}",
                match longest == rows {
                    true => String::new(),
                    false => format!(", which leaves room for {longest} tokens"),
                }
            )));
        }
        Some(length) => length,
        None => longest.min(plan.max_length),
    };
    let family = config.family.model_type;
    match plan.peft_config().map(|adapter| adapter.resolved(family)) {
        None => drop(Trainable::new(&plan.strategy, config)?),
        // An adapter to go on with is checked when it is read.
        Some(_) if !plan.adapter.is_empty() => {}
        Some(adapter) => {
            adapter.plan(family, &modules(config))?.check_ranks()?;
            match adapter {
                PeftConfig::Lora(lora) => plan.lora = Some(lora),
                PeftConfig::Ia3(ia3) => plan.ia3 = Some(ia3),
            }
        }
    }
    plan.check()?;
    Ok(plan)
}

/// The plan with what only the tokenized rows tell.
pub fn with_data(
    mut plan: TrainPlan,
    options: &TrainOptions,
    loaded: &Loaded,
) -> Result<TrainPlan, Failure> {
    plan.dataset_fingerprints = loaded.fingerprints();
    if plan.eval_strategy != IntervalStrategy::No {
        check_metric(&plan, &loaded.data.validation)?;
    }
    plan.class_weights = match &options.class_weights {
        None => Vec::new(),
        Some(ClassWeights::Given(weights)) => weights.clone(),
        Some(ClassWeights::Balanced) => balanced(&plan, &loaded.data.train)?,
    };
    plan.check()?;
    Ok(plan)
}

/// Weights by which every class counts alike; of a multi-label model, by which a class's positives
/// count as much as its negatives.
fn balanced(plan: &TrainPlan, rows: &TokenizedDataset) -> Result<Vec<f32>, Failure> {
    let Some(counts) = rows.class_counts() else {
        return Err(Failure::User(
            "class_weights is balanced, but the labels are numbers, not classes".into(),
        ));
    };
    Ok(match plan.problem_type {
        ProblemType::MultiLabelClassification => {
            let weight = |&count: &u64| rows.len().saturating_sub(count) as f32 / count as f32;
            counts.iter().map(weight).collect()
        }
        _ => balanced_weights(&counts),
    })
}
