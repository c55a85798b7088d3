//! `finetune inspect`: describes a model from its `config.json`, without weights.

use std::{fmt::Write, path::Path, process::ExitCode};

use finetune_files::IoContext;
use finetune_models::{
    ModelConfig, Parameter, Place, Role, Task, modules, parameters, places, unused_weights,
};
use finetune_peft::{AdapterPlan, ModuleKind, PeftConfig, trainable_line};
use finetune_train::{Strategy, Trainable};

use crate::{
    cli::{args::InspectArguments, settings, train_options::TrainOptions},
    commands::memory_estimate::{BATCH, Trained, training_bytes},
    error::Failure,
    resolve::run_model,
    view::{
        output::{say, show},
        progress::count,
    },
};

/// The strategies that are compared by default.
pub const SHOWN: [&str; 6] = ["full", "head", "last:2", "bitfit", "lora", "ia3"];

/// Prints the modules of a model, or what a strategy trains.
///
/// # Errors
/// Fails if the configuration cannot be read, or if options do not fit it.
pub fn run(arguments: &InspectArguments) -> Result<ExitCode, Failure> {
    let options = settings::read(None, &arguments.set, &TrainOptions::default())?;
    let model = run_model::resolve(&arguments.model.display().to_string())?;
    let model = Path::new(&model);
    let config = config(model, arguments.labels.as_deref())?;
    let named = arguments
        .strategy
        .as_deref()
        .or(options.strategy.as_deref());
    let mut text = header(&config);
    match named {
        Some(name) => {
            let share = Share::new(name, &options, &config)?;
            writeln!(text, "\nstrategy {name}").ok();
            writeln!(text, "{}", trainable_line(share.trainable, share.all)).ok();
            writeln!(text, "memory to train: {}", share.memory(&config)).ok();
            for note in &share.notes {
                writeln!(text, "note: {note}").ok();
            }
            if arguments.list_trainable {
                writeln!(text, "  {}", share.names.join("\n  ")).ok();
            }
        }
        None => {
            text += &tree(&config);
            text += "\nstrategy        trainable        all params  trainable%  memory to train\n";
            for name in SHOWN {
                // A model with one layer has no last two.
                let Ok(share) = Share::new(name, &options, &config) else {
                    continue;
                };
                let percent = 100.0 * share.trainable as f64 / share.all.max(1) as f64;
                let (trainable, all) = (count(share.trainable), count(share.all));
                let memory = share.memory(&config);
                writeln!(
                    text,
                    "{name:8} {trainable:>16} {all:>17} {percent:>11.4}  {memory:>15}"
                )
                .ok();
            }
        }
    }
    let (rows, length) = BATCH;
    writeln!(
        text,
        "\nMemory is an estimate for AdamW in f32 and batches of {rows} rows of {length} tokens."
    )
    .ok();
    show(&text)?;
    // A configuration without weights has no unused ones.
    if let Ok(notes) = unused_weights(model, &read_config(model)?) {
        for note in notes {
            say!("note: {note}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An upper bound on the number of labels.
const MOST_LABELS: usize = 1_000_000;

/// Reads the configuration.
fn read_config(path: &Path) -> Result<ModelConfig, Failure> {
    match path.is_file() {
        true => {
            let text = std::fs::read_to_string(path).context("read", path)?;
            Ok(ModelConfig::parse(&text, path)?)
        }
        false => Ok(ModelConfig::from_directory(path)?),
    }
}

fn config(path: &Path, labels: Option<&str>) -> Result<ModelConfig, Failure> {
    let config = read_config(path)?;
    let Some(labels) = labels else {
        return Ok(config);
    };
    let names = match labels.parse::<usize>() {
        Ok(0) => return Err(Failure::User("--labels is 0; expected at least 1".into())),
        Ok(number) if number > MOST_LABELS => {
            return Err(Failure::User(format!(
                "--labels is {number}; expected at most {MOST_LABELS}, or names a,b,c"
            )));
        }
        Ok(number) => Task::default_names(number),
        Err(_) if labels.bytes().all(|byte| byte.is_ascii_digit()) => {
            return Err(Failure::User(format!(
                "--labels is {labels}; expected at most {MOST_LABELS}, or names a,b,c"
            )));
        }
        Err(_) => distinct(labels.split(',').map(str::trim))?,
    };
    Ok(config.with_outputs(Task::Classes(names)))
}

/// Collects the names, which must be distinct.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<String>, Failure> {
    let mut seen = Vec::new();
    for name in names {
        if seen.iter().any(|other| other == name) {
            return Err(Failure::User(format!(
                "--labels has {name:?} twice; give each class a different name"
            )));
        }
        seen.push(name.to_string());
    }
    Ok(seen)
}

fn header(config: &ModelConfig) -> String {
    let all: usize = parameters(config).iter().map(|p| p.num_elements()).sum();
    format!(
        "{}: {} layers, hidden size {}, {} heads, {} tokens at most, {} labels\n{} parameters\n",
        config.family.model_type,
        config.num_hidden_layers,
        config.hidden_size,
        config.num_attention_heads,
        config.longest_sequence(),
        config.outputs.num_labels(),
        count(all as u64)
    )
}

/// Lists the modules with their shapes; equal layers are listed once.
fn tree(config: &ModelConfig) -> String {
    let mut text = String::from("\n");
    let (modules, places) = (modules(config), places(config));
    let width = modules.iter().map(|module| module.name.len()).max();
    let width = width.unwrap_or(0);
    let mut layers = 0;
    for module in &modules {
        if let Some(&Place::Layer(number)) = places.get(&module.name)
            && number > 0
        {
            layers = layers.max(number);
            continue;
        }
        if layers > 0 {
            writeln!(text, "  … layers 1 to {layers} are the same").ok();
            layers = 0;
        }
        let shape = match &module.kind {
            ModuleKind::Linear {
                in_features,
                out_features,
                ..
            } => format!("linear {in_features} -> {out_features}"),
            ModuleKind::Other { parameters } => {
                let shapes = parameters
                    .iter()
                    .map(|(name, shape)| format!("{name} {shape:?}"));
                shapes.collect::<Vec<_>>().join(", ")
            }
        };
        let elements = count(module.num_elements());
        writeln!(text, "  {:width$}  {elements:>12}  {shape}", module.name).ok();
    }
    text
}

/// The part of a model that a strategy trains.
struct Share {
    trainable: u64,
    all: u64,
    names: Vec<String>,
    notes: Vec<String>,
    lowest_layer: usize,
    trained: Trained,
}

impl Share {
    fn new(strategy: &str, options: &TrainOptions, config: &ModelConfig) -> Result<Self, Failure> {
        let strategy: Strategy = strategy.parse().map_err(Failure::User)?;
        match strategy.adapter(options.lora.as_ref(), options.ia3.as_ref()) {
            Some(adapter) => {
                let plan = adapter.plan(config.family.model_type, &modules(config))?;
                plan.check_ranks()?;
                let trained = match adapter {
                    PeftConfig::Lora(_) => Trained::Lora,
                    PeftConfig::Ia3(_) => Trained::Ia3,
                };
                Ok(Self::of_adapter(config, plan, trained))
            }
            None => {
                let trained = Trainable::new(&strategy, config)?;
                let is_layer_weight = |p: &Parameter| {
                    matches!(p.place, Place::Layer(_)) && p.role == Role::LinearWeight
                };
                let trains_layer_weights = trained.parameters.iter().any(is_layer_weight);
                let names: Vec<_> = trained.parameters.into_iter().map(|p| p.name).collect();
                Ok(Self {
                    lowest_layer: lowest_layer(config, &names),
                    trained: match trains_layer_weights {
                        true => Trained::Weights,
                        false => Trained::Little,
                    },
                    trainable: trained.trainable,
                    all: trained.all,
                    names,
                    notes: Vec::new(),
                })
            }
        }
    }

    fn of_adapter(config: &ModelConfig, plan: AdapterPlan, trained: Trained) -> Self {
        let adapted = plan.adapted.into_iter().map(|module| module.name);
        let names: Vec<_> = adapted.chain(plan.saved).chain(plan.biases).collect();
        Self {
            lowest_layer: lowest_layer(config, &names),
            trained,
            trainable: plan.trainable,
            all: plan.all,
            names,
            notes: plan.notes,
        }
    }

    fn memory(&self, config: &ModelConfig) -> String {
        let counts = (self.trainable, self.all);
        let bytes = training_bytes(config, counts, self.lowest_layer, self.trained);
        format!("{:.2} GB", bytes as f64 / 1e9)
    }
}

/// Returns the number of the lowest layer among these modules or parameters: 0 if they include the
/// embeddings, and `usize::MAX` if there is only the head.
fn lowest_layer(config: &ModelConfig, names: &[String]) -> usize {
    let places = places(config);
    let layers = names
        .iter()
        .filter_map(|name| places.get(name)?.lowest_layer());
    layers.min().unwrap_or(usize::MAX)
}
