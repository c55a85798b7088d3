//! `[default: …]` in the help of `train`, from the plan that training has where nothing is said.
//!
//! A default that depends on something is said in words, with its constants from where they count; one
//! that is no value at all ("from the data") is part of the option's own text.

use clap::Arg;
use finetune_data::ProblemType;
use finetune_hub::DEFAULT_MODEL;
use finetune_train::{EvaluationPlan, PrecisionChoice, Strategy, TrainPlan};
use toml::{Table, Value};

/// How an option's text has its default.
const MARK: &str = "[default: ";

/// Keys that say nothing where they are not given: that of their counterpart decides.
const SILENT: [&str; 3] = ["warmup_steps", "eval_steps", "save_steps"];

/// The defaults of the options of `train`.
pub struct DefaultTexts {
    plan: Table,
}

impl DefaultTexts {
    pub fn new() -> Self {
        let task = finetune_data::Task::new(ProblemType::default(), Vec::new());
        // Which device this machine has is nothing that help needs to know.
        let plan = TrainPlan::new(&task, Strategy::default(), "cpu".into());
        Self {
            plan: Table::try_from(plan).unwrap_or_default(),
        }
    }

    /// The option with its default after its text.
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

    /// What an option is where it is not given, if there is something to say.
    fn of(&self, option: &str) -> Option<String> {
        let value = self.value(option).map(text).unwrap_or_default();
        let text = match option {
            "model" => format!("the adapter's, or {DEFAULT_MODEL}"),
            "learning_rate" => by_strategy(),
            "max_length" => format!("{value}, or the model's longest"),
            "eval_strategy" => format!("{value}; steps with --eval-steps"),
            "load_best_model_at_end" => {
                format!("{value}, where there are evaluations and checkpoints")
            }
            "metric_for_best_model" => by_task(),
            // The library writes transformers' name.
            "optim" => value.trim_end_matches("_torch").into(),
            "device" => "auto".into(),
            "precision" => PrecisionChoice::default().to_string(),
            _ => value,
        };
        Some(text).filter(|text| !text.is_empty() && !SILENT.contains(&option))
    }

    /// Its value in the plan; settings of optimizer and schedule stand in tables of their own.
    fn value(&self, option: &str) -> Option<&Value> {
        let nested = ["optimizer", "schedule"].iter();
        let mut nested = nested.filter_map(|table| self.plan.get(*table)?.get(option));
        self.plan.get(option).or_else(|| nested.next())
    }
}

/// A value as it would be typed; what has no such form is empty.
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

/// The learning rates of the strategies that train something, the smallest first.
fn by_strategy() -> String {
    let strategies = [
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
        .map(|(rate, names)| format!("{} {rate:e}", listed(&names)))
        .collect();
    format!("by strategy: {}", rates.join(", "))
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => names.concat(),
    }
}

fn by_task() -> String {
    let [classes, labels, numbers] = ProblemType::ALL.map(EvaluationPlan::default_metric);
    format!("{classes}, {labels} for multi-label, {numbers} for regression")
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

    /// A default that is typed by hand is one that can go wrong.
    #[test]
    fn values_are_not_typed_by_hand() {
        let texts = DefaultTexts::new();
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
            // Whatever is typed is words, not numbers.
            assert!(typed.parse::<f64>().is_err(), "--{name}: {typed}");
        }
    }

    /// Each key of the plan that is an option says its default, or is known to have none.
    #[test]
    fn every_option_of_the_plan_says_its_default() {
        let without = ["revision", "adapter", "label_separator"];
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
    fn numbers_are_as_people_type_them() {
        let shown = [3.0, 0.1, 0.0, 5e-5, 1e-8, 0.01].map(float);
        assert_eq!(shown, ["3", "0.1", "0", "5e-5", "1e-8", "0.01"]);
    }
}
