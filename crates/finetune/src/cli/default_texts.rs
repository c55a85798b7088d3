//! Adds `[default: …]` to the help of `train` and the commands like it, from the default plan.
//!
//! A default that depends on something else is described in words, with its constants taken from the
//! code that uses them; one that is not a value ("from the data") is part of the option's help text.

use clap::Arg;
use finetune_data::ProblemType;
use finetune_hub::DEFAULT_MODEL;
use finetune_train::{
    AdaptationPlan, DistillationPlan, EvaluationPlan, PrecisionChoice, PretrainingPlan, Strategy,
    TrainPlan,
};
use toml::{Table, Value};

/// Introduces the default in an option's help text.
const MARK: &str = "[default: ";

/// Keys without a default to show, because a counterpart decides.
const SILENT: [&str; 3] = ["warmup_steps", "eval_steps", "save_steps"];

/// The defaults of the options of `train`.
pub struct DefaultTexts {
    plan: Table,
    /// Those of masked language modelling.
    masks: Table,
}

impl DefaultTexts {
    /// Takes the defaults of `train` from its default plan.
    pub fn train() -> Self {
        let task = finetune_data::Task::new(ProblemType::default(), Vec::new());
        // The help does not depend on the machine's device.
        Self::of_plan(TrainPlan::new(&task, Strategy::default(), "cpu".into()))
    }

    /// Takes the defaults of `pretrain` from its default plan.
    pub fn pretrain() -> Self {
        Self::of_plan(TrainPlan::pretraining(Strategy::default(), "cpu".into()))
    }

    fn of_plan(plan: TrainPlan) -> Self {
        Self {
            plan: Table::try_from(plan).unwrap_or_default(),
            masks: Table::try_from(PretrainingPlan::default()).unwrap_or_default(),
        }
    }

    /// Appends the default to the option's help text.
    pub fn add_to(&self, option: Arg) -> Arg {
        let help = option.get_help().map(ToString::to_string);
        let (Some(help), Some(text)) = (help, self.of(option.get_id().as_str())) else {
            return option;
        };
        match help.contains(MARK) {
            true => option,
            false => option.help(format!("{help} {MARK}{text}]")),
        }
    }

    /// Describes an option's default, if it has one.
    fn of(&self, option: &str) -> Option<String> {
        let value = self.value(option).map(text).unwrap_or_default();
        let text = match option {
            "model" => format!("the adapter's, or {DEFAULT_MODEL}"),
            "epochs" => format!("{value}; 1 with contrastive"),
            "learning_rate" => by_strategy(),
            "max_length" => format!("{value}, or the model's maximum"),
            // Left out of the plan unless it is set.
            "reset_head" => false.to_string(),
            "warmup_ratio" => format!("{value}; 0 with step and exponential"),
            "eval_strategy" => format!("{value}; steps with --eval-steps"),
            "load_best_model_at_end" => {
                format!("{value}, if there are evaluations and checkpoints")
            }
            "metric_for_best_model" if self.plan.contains_key("pretraining") => value,
            "metric_for_best_model" => by_task(),
            // Batches are limited by tokens then.
            "batch_size" if self.value("batch_tokens").map(text).as_deref() != Some("0") => {
                String::new()
            }
            // The plan has transformers' name.
            "optim" => value.trim_end_matches("_torch").into(),
            // The plan's file omits it.
            "freeze_embeddings" => "false".into(),
            "adapt_learning_rate" => float(AdaptationPlan::LEARNING_RATE),
            "temperature" => float(DistillationPlan::TEMPERATURE),
            "soft_weight" => float(DistillationPlan::SOFT_WEIGHT),
            "hard_weight" => float(DistillationPlan::HARD_WEIGHT),
            "cosine_weight" | "attention_weight" => float(0.0),
            "device" => "auto".into(),
            "precision" => PrecisionChoice::default().to_string(),
            _ => value,
        };
        Some(text).filter(|text| !text.is_empty() && !SILENT.contains(&option))
    }

    /// Returns an option's value in the plan, where optimizer and schedule settings are nested.
    fn value(&self, option: &str) -> Option<&Value> {
        let nested = ["optimizer", "schedule"].iter();
        let mut nested = nested.filter_map(|table| self.plan.get(*table)?.get(option));
        let of_plan = self.plan.get(option).or_else(|| nested.next());
        of_plan.or_else(|| self.masks.get(option))
    }
}

/// Formats a value as one would type it; returns an empty text for lists and tables.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) => float(*number),
        Value::Integer(_) | Value::Boolean(_) => value.to_string(),
        _ => String::new(),
    }
}

fn float(number: f64) -> String {
    match number == 0.0 || number.abs() >= 0.01 {
        true => number.to_string(),
        false => format!("{number:e}"),
    }
}

/// Lists the learning rates of the strategies that train something, smallest first.
fn by_strategy() -> String {
    let strategies = [
        Strategy::Contrastive,
        Strategy::Full,
        Strategy::Last(1),
        Strategy::Layers(Vec::new()),
        Strategy::Params(String::new()),
        Strategy::Gradual,
        Strategy::Lora,
        Strategy::Head,
        Strategy::BitFit,
        Strategy::Ia3,
    ];
    let mut rates: Vec<(f64, Vec<String>)> = Vec::new();
    for strategy in strategies {
        let (rate, name) = (strategy.default_learning_rate(), strategy.to_string());
        let name = name.split(':').next().unwrap_or_default().to_string();
        match rates.iter_mut().find(|(other, _)| *other == rate) {
            Some((_, names)) => names.push(name),
            None => rates.push((rate, vec![name])),
        }
    }
    rates.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let rates: Vec<_> = rates
        .into_iter()
        .map(|(rate, names)| format!("{} {rate:e}", join_words(&names)))
        .collect();
    format!("by strategy: {}", rates.join(", "))
}

/// Returns `a`, `a and b` or `a, b and c`.
fn join_words(names: &[String]) -> String {
    match names {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => names.concat(),
    }
}

fn by_task() -> String {
    let [single, multi, regression] = ProblemType::ALL.map(EvaluationPlan::default_metric);
    format!("{single}, {multi} for multi-label, {regression} for regression")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::{Arguments, command};

    fn train(command: clap::Command) -> clap::Command {
        command.find_subcommand("train").unwrap().clone()
    }

    fn help(option: &Arg) -> String {
        option
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// A hand-written default can go out of date.
    #[test]
    fn values_are_not_written_by_hand() {
        let texts = DefaultTexts::train();
        for option in train(Arguments::command()).get_arguments() {
            let (name, help) = (option.get_id().as_str(), help(option));
            let Some((_, typed)) = help.split_once(MARK) else {
                continue;
            };
            let value = texts.value(name).map(text).unwrap_or_default();
            let typed = typed.trim_end_matches(']');
            assert!(
                typed != value,
                "--{name} has its default {typed} in its text"
            );
            // Hand-written defaults are words, not numbers.
            assert!(typed.parse::<f64>().is_err(), "--{name}: {typed}");
        }
    }

    /// Each option that is a key of the plan shows its default, or is known to have none.
    #[test]
    fn every_option_of_the_plan_shows_its_default() {
        let without = [
            "revision",
            "adapter",
            "vectors",
            "label_separator",
            "encoder",
            "tokenizer",
        ];
        for option in train(command()).get_arguments() {
            let (name, help) = (option.get_id().as_str(), help(option));
            let of_plan = TrainPlan::KEYS.iter().any(|key| key.name == name);
            let silent = SILENT.contains(&name) || without.contains(&name) || name == "dataset";
            if of_plan {
                assert_eq!(help.contains(MARK), !silent, "--{name}: {help}");
                assert!(help.matches(MARK).count() <= 1, "--{name}: {help}");
            }
        }
    }

    #[test]
    fn numbers_are_formatted_as_people_type_them() {
        let shown = [3.0, 0.1, 0.0, 5e-5, 1e-8, 0.01].map(float);
        assert_eq!(shown, ["3", "0.1", "0", "5e-5", "1e-8", "0.01"]);
    }
}
