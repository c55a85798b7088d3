//! Turns options into a plan.

use std::{num::NonZeroU64, path::Path};

use finetune_data::TokenizedDataset;
use finetune_hub::DEFAULT_MODEL;
use finetune_infer::objective;
use finetune_models::{ModelConfig, modules};
use finetune_peft::{AdapterFile, PeftConfig};
use finetune_train::{
    DistillationPlan, Interval, OptimizerConfig, PretrainingPlan, STRATEGIES, ScheduleConfig,
    SchedulerType, ScratchPlan, Strategy, TrainPlan, Trainable, Warmup, check_metric, check_pairs,
};
use toml::Table;

use crate::{
    cli::{
        settings,
        train_options::{ClassWeights, TrainOptions},
    },
    error::Failure,
    resolve::{
        distillation, intervals, loaded::Loaded, model, pretraining, rows::Rows, run_model,
        scratch::scratch, special_files, without_effect,
    },
    view::output::say,
};

/// An upper bound on the steps of a run.
const MOST_STEPS: f64 = 1e9;

/// Returns the plan with all defaults filled in, and checks it as far as possible without the model's
/// files; [`with_model`] and [`with_data`] complete it.
///
/// # Errors
/// Fails if options are invalid or contradict each other.
pub fn plan(
    options: &TrainOptions,
    rows: &Rows,
    device: String,
    output: &Path,
) -> Result<TrainPlan, Failure> {
    let (strategy, adapter) = strategy(options, rows.texts_only)?;
    let (adapter_base, adapter_revision) = match (&options.model, adapter) {
        (None, Some((base, revision))) => (Some(base), revision),
        _ => (None, None),
    };
    check_batch(options)?;
    let tokenizer = distillation::teacher_tokenizer(options)?;
    let scratch = scratch(options, tokenizer.as_ref())?;
    let mut plan = match rows.texts_only {
        false => pretraining::adapting(options, TrainPlan::new(&rows.labels, strategy, device)),
        true => pretraining::plan(options, strategy, device),
    };
    let (model, data) = (&mut plan.model, &mut plan.data);
    model.name = options
        .model
        .as_deref()
        .map(run_model::resolve)
        .transpose()?
        .or(adapter_base)
        .unwrap_or_else(|| DEFAULT_MODEL.into());
    model.revision = adapter_revision;
    if let Some(scratch) = scratch {
        model.start_from_scratch(scratch);
        if matches!(model.strategy, Strategy::Full | Strategy::Gradual) {
            plan.optimization.learning_rate = ScratchPlan::LEARNING_RATE;
        }
    }
    model.precision = options
        .precision
        .unwrap_or_default()
        .resolve(&model.device)?;
    data.dataset.clone_from(&rows.dataset);
    data.dataset_config = non_empty(&rows.dataset_config);
    data.dataset_revision = non_empty(&rows.dataset_revision);
    data.train_split.clone_from(&rows.train_name);
    data.validation_split.clone_from(&rows.validation_name);
    data.test_split = rows.test_name();
    data.csv = options.csv();
    data.text_column.clone_from(&rows.columns.text);
    data.label_column.clone_from(&rows.columns.label);
    data.labels_by_position = rows.columns.labels_by_position;
    plan = distillation::distilling(options, plan)?;
    // By default, the head has the same learning rate as the rest.
    let rate = options.learning_rate;
    plan.optimization.head_learning_rate = rate.unwrap_or(plan.optimization.learning_rate);
    plan.optimization.schedule = schedule(options)?;
    plan.optimization.warmup = warmup(options, plan.optimization.schedule.lr_scheduler_type)?;
    plan.optimization.optimizer = optimizer(options)?;
    plan.saving.output = output.display().to_string();
    intervals::set(&mut plan, options)?;
    let plan = settings::override_plan(&plan, copied_options(options)?)?;
    plan.check()?;
    without_effect::refuse(options, &plan, rows)?;
    Ok(plan)
}

/// Options whose value is resolved, not copied into the plan.
const RESOLVED: [&str; 27] = [
    "model",
    "encoder",
    "tokenizer",
    "dataset",
    "dataset_config",
    "dataset_revision",
    "train_split",
    "validation_split",
    "test_split",
    "text_column",
    "label_column",
    "labels",
    "labels_by_position",
    "problem_type",
    "strategy",
    "device",
    "precision",
    "warmup_ratio",
    "warmup_steps",
    "eval_strategy",
    "eval_steps",
    "save_strategy",
    "save_steps",
    "logging_strategy",
    "logging_steps",
    "class_weights",
    "output",
];

/// Returns the options that are copied into the plan under the same key.
fn copied_options(options: &TrainOptions) -> Result<Table, Failure> {
    let given = Table::try_from(options).map_err(|error| Failure::Internal(error.to_string()))?;
    let is_key = |name: &str| TrainPlan::KEYS.iter().any(|key| key.name == name);
    let is_copied = |name: &str| is_key(name) && !RESOLVED.contains(&name);
    Ok(given
        .into_iter()
        .filter(|(key, _)| is_copied(key))
        .collect())
}

/// Returns the name unless it is empty.
fn non_empty(name: &str) -> Option<String> {
    Some(name.to_string()).filter(|name| !name.is_empty())
}

/// Rejects a batch size given both in rows and in tokens.
fn check_batch(options: &TrainOptions) -> Result<(), Failure> {
    match (options.batch_tokens.unwrap_or_default(), options.batch_size) {
        (tokens @ 1.., Some(rows)) => Err(Failure::User(format!(
            "batch_size is {rows} and batch_tokens is {tokens}, but only one of them can limit a batch; leave the other out"
        ))),
        _ => Ok(()),
    }
}

/// Returns the length of the learning rate's warm-up before a schedule of this type.
fn warmup(options: &TrainOptions, schedule: SchedulerType) -> Result<Warmup, Failure> {
    let ratio = options.warmup_ratio;
    let default = Warmup::default_of(schedule);
    let given = ratio.filter(|ratio| *ratio != 0.0 && Warmup::Ratio(*ratio) != default);
    let given = options.warmup_steps.filter(|steps| *steps != 0.0).or(given);
    if given.is_some() && !schedule.has_warmup() {
        say!(
            "note: schedule {} has no warm-up to set, so warmup_steps and warmup_ratio have no effect",
            schedule.name()
        );
    }
    let Some(steps) = options.warmup_steps else {
        return Ok(ratio.map_or(default, Warmup::Ratio));
    };
    if let Some(ratio) = ratio {
        say!(
            "note: warmup_steps is {steps} and warmup_ratio is {ratio}; the steps take precedence, as in transformers"
        );
    }
    let whole = NonZeroU64::new(steps as u64).filter(|_| steps.fract() == 0.0);
    match (steps, whole) {
        // A number below 1 is a share, as in transformers.
        (0.0..1.0, _) => Ok(Warmup::Ratio(steps)),
        (1.0..=MOST_STEPS, Some(steps)) => Ok(Warmup::Steps(steps)),
        _ => Err(Failure::User(format!(
            "warmup_steps is {steps}; expected a whole number of steps up to {MOST_STEPS}, or a share below 1"
        ))),
    }
}

/// Returns the schedule from its type and settings.
fn schedule(options: &TrainOptions) -> Result<ScheduleConfig, Failure> {
    let mut table = options.lr_scheduler_kwargs.clone().unwrap_or_default();
    if let Some(kind) = &options.lr_scheduler_type {
        table.insert("lr_scheduler_type".into(), kind.clone().into());
    }
    let schedule: ScheduleConfig = settings::from_table(table, "lr_scheduler_kwargs")?;
    schedule.refuse_foreign()?;
    Ok(schedule)
}

/// Returns the optimizer from its name and settings.
fn optimizer(options: &TrainOptions) -> Result<OptimizerConfig, Failure> {
    let mut table = options.optim_args.clone().unwrap_or_default();
    let nested = table.get("optim").and_then(|name| name.as_str());
    let name = options.optim.clone().or_else(|| nested.map(str::to_string));
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
                "{key} is for adamw and adam, but optim is {name}; its settings are optim_args.*"
            )));
        }
        table.insert(key.into(), value.into());
    }
    settings::from_table(table, "optim_args")
}

/// The name and revision of a base model.
type BaseName = (String, Option<String>);

/// Returns what to train, and the base model of the adapter to continue training, if any.
fn strategy(
    options: &TrainOptions,
    texts_only: bool,
) -> Result<(Strategy, Option<BaseName>), Failure> {
    let expected = match texts_only {
        true => PretrainingPlan::STRATEGIES.into(),
        false if options.teacher.is_some() => DistillationPlan::STRATEGIES.into(),
        false => format!("{STRATEGIES}, auto"),
    };
    let named = options.strategy.as_deref();
    let named = named.map(|text| Strategy::among(text, &expected));
    let named = named.transpose().map_err(Failure::User)?;
    let Some(directory) = &options.adapter else {
        return Ok((named.unwrap_or_default(), None));
    };
    special_files::refuse_in(Path::new(directory))?;
    let file = AdapterFile::read(Path::new(directory))?;
    let strategy = match file.config {
        PeftConfig::Lora(_) => Strategy::Lora,
        PeftConfig::Ia3(_) => Strategy::Ia3,
    };
    if let Some(named) = named.filter(|named| *named != strategy) {
        return Err(Failure::User(format!(
            "{directory} is an adapter of strategy {strategy}, but --strategy is {named}; leave it out"
        )));
    }
    let base = match &options.model {
        Some(_) => None,
        None => Some(model::base_name(Path::new(directory), &file)?),
    };
    Ok((strategy, base.map(|base| (base, file.revision))))
}

/// Completes the plan with what depends on the model's configuration.
///
/// # Errors
/// Fails if options do not fit the model.
pub fn with_model(
    mut plan: TrainPlan,
    options: &TrainOptions,
    config: &ModelConfig,
) -> Result<TrainPlan, Failure> {
    let (longest, rows) = (config.longest_sequence(), config.max_position_embeddings);
    plan.data.max_length = match options.max_length {
        Some(length) if length > longest => {
            return Err(Failure::User(format!(
                "--max-length {length} is more than the model supports: its max_position_embeddings is {rows}{}",
                match longest == rows {
                    true => String::new(),
                    false => format!(", which leaves room for {longest} tokens"),
                }
            )));
        }
        Some(length) => length,
        None => longest.min(plan.data.max_length),
    };
    let family = config.family.model_type;
    match plan
        .model
        .peft_config()
        .map(|adapter| adapter.resolved(family))
    {
        None if plan.pretraining.is_some() => pretraining::check_strategy(&plan, config)?,
        None => {
            let chosen = Trainable::new(&plan.model.strategy, config)?;
            drop(chosen.but_frozen(&plan.model)?);
        }
        // An adapter to continue training is checked when it is read.
        Some(_) if plan.model.adapter.is_some() => {}
        Some(adapter) => {
            adapter.plan(family, &modules(config))?.check_ranks()?;
            match adapter {
                PeftConfig::Lora(lora) => plan.model.lora = Some(lora),
                PeftConfig::Ia3(ia3) => plan.model.ia3 = Some(ia3),
            }
        }
    }
    plan.check()?;
    Ok(plan)
}

/// Completes the plan with what depends on the tokenized rows.
///
/// # Errors
/// Fails if options do not fit the rows.
pub fn with_data(
    mut plan: TrainPlan,
    options: &TrainOptions,
    loaded: &Loaded,
) -> Result<TrainPlan, Failure> {
    plan.data.dataset_fingerprints = loaded.data.fingerprints();
    if plan.evaluation.eval != Interval::No && plan.pretraining.is_none() {
        check_metric(&plan, &loaded.data.validation)?;
    }
    plan.optimization.class_weights = match &options.class_weights {
        None => Vec::new(),
        Some(ClassWeights::Given(weights)) => weights.clone(),
        Some(ClassWeights::Balanced) => balanced(&plan, &loaded.data.train)?,
    };
    plan.check()?;
    check_pairs(&plan, &loaded.data.train)?;
    Ok(plan)
}

/// Returns weights that give all classes the same influence.
fn balanced(plan: &TrainPlan, rows: &TokenizedDataset) -> Result<Vec<f32>, Failure> {
    let objective = objective::of(plan.data.problem_type);
    let counts = rows.class_counts();
    let weights = counts.and_then(|counts| objective.balanced_weights(&counts, rows.labelled()));
    weights.ok_or_else(|| {
        Failure::User("class_weights is balanced, but the labels are numbers, not classes".into())
    })
}

#[cfg(test)]
mod tests {
    use toml::Value;

    use super::*;

    #[test]
    fn options_are_copied_into_the_plan_by_key() {
        assert!(copied_options(&TrainOptions::default()).unwrap().is_empty());
        let options = TrainOptions {
            weight_decay: Some(0.5),
            train_rows: Some(9),
            // Resolved with the rows or the model.
            test_split: Some("train[:9]".into()),
            optim: Some("sgd".into()),
            ..TrainOptions::default()
        };
        let taken = copied_options(&options).unwrap();
        let expected = [
            ("weight_decay", Value::Float(0.5)),
            ("train_rows", Value::Integer(9)),
        ];
        assert_eq!(
            taken,
            expected
                .map(|(key, value)| (key.to_string(), value))
                .into_iter()
                .collect()
        );
        let plan = settings::override_plan(&TrainPlan::default(), taken).unwrap();
        assert_eq!(plan.optimization.weight_decay, 0.5);
        assert_eq!(plan.data.train_rows, NonZeroU64::new(9));
        for key in RESOLVED {
            assert!(
                TrainPlan::KEYS.iter().any(|known| known.name == key),
                "{key}"
            );
        }
    }
}
