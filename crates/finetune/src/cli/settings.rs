//! Merges options from a TOML file, `--set` and flags, key by key.

use std::{fs::File, io::Read, path::Path};

use finetune_compare::options::{merge, nested};
use finetune_files::IoContext;
use finetune_train::TrainPlan;
use toml::{Table, Value};

use crate::{
    cli::{args::PLACES, python_names, train_options::TrainOptions},
    error::Failure,
    resolve::special_files,
    view::shell::quote_path,
};

/// Reads the options of a file, if there is one, overridden by `--set` and then by flags.
///
/// # Errors
/// Fails if the file cannot be read, or if an option is unknown or invalid.
pub fn read(
    file: Option<&Path>,
    set: &[String],
    flags: &TrainOptions,
) -> Result<TrainOptions, Failure> {
    let mut table = match file {
        Some(path) => from_file(path)?,
        None => Table::new(),
    };
    for assignment in set {
        let assigned = assignment_table(assignment)?;
        // Parsed alone first, so that an error names this assignment.
        let problem = |problem: String| Failure::User(format!("--set {assignment}: {problem}"));
        let assigned = canonical(assigned).map_err(problem)?;
        options(assigned.clone()).map_err(problem)?;
        merge(&mut table, assigned);
    }
    check_integers(flags)?;
    let flags = Table::try_from(flags).map_err(|error| Failure::User(error.to_string()))?;
    merge(&mut table, flags);
    let is_empty = |key: &&str| table.get(*key).and_then(Value::as_str) == Some("");
    if let Some(key) = PLACES.iter().copied().find(is_empty) {
        return Err(Failure::User(format!(
            "{key} is empty; name one, or leave it out"
        )));
    }
    options(table).map_err(Failure::User)
}

/// Returns a plan with its keys overridden by `--set`, to resume a run.
///
/// # Errors
/// Fails if a key is unknown or its value invalid.
pub fn change(plan: &TrainPlan, set: &[String]) -> Result<TrainPlan, Failure> {
    let mut keys = Table::new();
    for assignment in set {
        merge(&mut keys, in_plan(plan, assignment_table(assignment)?));
    }
    // A number of steps implies an interval by steps, as for flags.
    for name in ["eval", "save", "logging"] {
        let strategy = format!("{name}_strategy");
        if keys.contains_key(&format!("{name}_steps")) && !keys.contains_key(&strategy) {
            keys.insert(strategy, "steps".into());
        }
    }
    override_plan(plan, keys)
        .map_err(|error| error.with_message(|problem| format!("--set: {problem}")))
}

/// Puts options that a plan has in a table of its own, such as `adapt_epochs`, into that table, if the plan has
/// it.
fn in_plan(plan: &TrainPlan, keys: Table) -> Table {
    let masks: &[&str] = match plan.pretraining {
        Some(_) => &["pretraining"],
        None => &["adaptation", "masks"],
    };
    let moved = keys.into_iter().map(|(key, value)| {
        let (tables, name): (&[&str], &str) = match key.as_str() {
            "adapt_epochs" => (&["adaptation"], "epochs"),
            "adapt_learning_rate" => (&["adaptation"], "learning_rate"),
            "unlabelled" if plan.adaptation.is_some() => (&["adaptation"], "unlabelled"),
            "unlabelled" | "temperature" | "soft_weight" | "hard_weight" | "cosine_weight"
            | "attention_weight" => (&["distillation"], &key),
            "mlm_probability" | "masking" | "line_by_line" => (masks, &key),
            _ => (&[], &key),
        };
        let has_table = match tables.first() {
            Some(&"adaptation") => plan.adaptation.is_some(),
            Some(&"distillation") => plan.distillation.is_some(),
            Some(_) => plan.pretraining.is_some(),
            None => false,
        };
        if !has_table {
            return (key, value);
        }
        let leaf = (name.to_string(), value);
        tables.iter().rev().fold(leaf, |inner, table| {
            (table.to_string(), Value::Table(Table::from_iter([inner])))
        })
    });
    let mut keys = Table::new();
    for (key, value) in moved {
        merge(&mut keys, Table::from_iter([(key, value)]));
    }
    keys
}

/// Returns a plan overridden by these keys.
///
/// # Errors
/// Fails if a key is unknown or its value invalid.
pub fn override_plan(plan: &TrainPlan, keys: Table) -> Result<TrainPlan, Failure> {
    let internal = |error: toml::ser::Error| Failure::Internal(error.to_string());
    let mut table = Table::try_from(plan).map_err(internal)?;
    merge(&mut table, keys);
    let plan: Result<TrainPlan, _> = table.try_into();
    plan.map_err(|error| Failure::User(explain(&error).trim_end().to_string()))
}

/// Rejects integers that do not fit into TOML, the format of the plan.
fn check_integers(flags: &TrainOptions) -> Result<(), Failure> {
    let flags = serde_json::to_value(flags);
    for (key, value) in flags.iter().filter_map(|flags| flags.as_object()).flatten() {
        if value
            .as_u64()
            .is_some_and(|number| i64::try_from(number).is_err())
        {
            return Err(Failure::User(format!(
                "{key} is {value}; expected at most {}",
                i64::MAX
            )));
        }
    }
    Ok(())
}

/// Checks a table of options, and returns it with the canonical names of its keys, so that tables meet in the
/// same key.
///
/// # Errors
/// Says what is wrong if an option is unknown or invalid.
pub fn checked(table: Table) -> Result<Table, String> {
    let table = canonical(table)?;
    options(table.clone())?;
    Ok(table)
}

/// Maximum size of an options file in bytes, far more than all options need.
const LONGEST_FILE: u64 = 1 << 20;

/// Rejects a data set in place of the options file, if its flag was forgotten.
fn refuse_data(path: &Path) -> Result<(), Failure> {
    let is_toml = path
        .extension()
        .is_some_and(|extension| extension == "toml");
    let what = match path.is_dir() {
        true => "is a directory",
        false if path.is_file() && !is_toml && finetune_data::is_data_file(path) => "holds data",
        false => return Ok(()),
    };
    Err(Failure::User(format!(
        "{} {what}; expected a TOML file with options; to train on a data set, type --dataset {}",
        path.display(),
        quote_path(path)
    )))
}

/// Reads a TOML file. `expected` describes what it should be.
///
/// # Errors
/// Fails if it is no file, too long or not UTF-8.
pub fn text_of(path: &Path, expected: &str) -> Result<String, Failure> {
    special_files::refuse_file(path, expected)?;
    let mut text = String::new();
    // A device may have no end, so at most one byte beyond the limit is read.
    File::open(path)
        .and_then(|file| file.take(LONGEST_FILE + 1).read_to_string(&mut text))
        .context("read", path)?;
    match text.len() as u64 > LONGEST_FILE {
        true => Err(Failure::User(format!(
            "{}: it is longer than {LONGEST_FILE} bytes; expected {expected}",
            path.display()
        ))),
        false => Ok(text),
    }
}

fn from_file(path: &Path) -> Result<Table, Failure> {
    refuse_data(path)?;
    let problem = |problem: String| Failure::User(format!("{}: {problem}", path.display()));
    let text = text_of(path, "a TOML file with options")?;
    let table: Table = toml::from_str(&text).map_err(|error| problem(error.to_string()))?;
    let foreign = table
        .keys()
        .any(|key| !matches!(option_name(key), Ok(name) if name == key));
    // Parsed as options first, because those errors show the line.
    if !foreign {
        toml::from_str::<TrainOptions>(&text).map_err(|error| problem(explain(&error)))?;
    }
    let table = canonical(table).map_err(problem)?;
    options(table.clone()).map_err(problem)?;
    Ok(table)
}

/// The plan's names for keys that have another name in the options.
const ALIASES: [(&str, &str); 3] = [
    ("model_base", "model"),
    ("schedule", "lr_scheduler_kwargs"),
    ("optimizer", "optim_args"),
];

/// Returns the name of a key in the options.
fn option_name(key: &str) -> Result<&str, String> {
    match ALIASES.iter().find(|(alias, _)| *alias == key) {
        Some((_, name)) => Ok(name),
        None => Ok(python_names::key(key)?.unwrap_or(key)),
    }
}

/// Renames each key to its canonical name, so that overrides meet the same key.
fn canonical(table: Table) -> Result<Table, String> {
    let mut ours = Table::new();
    for (key, value) in table {
        let name = option_name(&key)?;
        if ours.insert(name.into(), value).is_some() {
            return Err(format!("{name} is given twice, once as {key}; remove one"));
        }
    }
    Ok(ours)
}

/// Parses a part of the plan from its table. `name` is the table that errors name.
///
/// # Errors
/// Fails if a key is unknown or its value invalid.
pub fn from_table<T: serde::de::DeserializeOwned>(table: Table, name: &str) -> Result<T, Failure> {
    let part: Result<T, _> = table.try_into();
    part.map_err(|error| Failure::User(format!("{name}: {}", explain(&error))))
}

fn options(table: Table) -> Result<TrainOptions, String> {
    table.try_into().map_err(|error| explain(&error))
}

/// Formats the error, with the nearest key if one is misspelt.
fn explain(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let nearest = match quoted.split_first() {
        Some((wrong, valid)) if text.contains("unknown field") => valid
            .iter()
            .map(|name| (strsim::jaro_winkler(wrong, name), name))
            .filter(|(score, _)| *score > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0)),
        _ => None,
    };
    match nearest {
        Some((_, name)) => format!("{}\ndid you mean {name}?", text.trim_end()),
        None => text,
    }
}

/// Maximum number of dots in a key, more than any key of a plan has.
const DEEPEST: usize = 8;

/// Parses `a.b=value` as nested tables. Whatever is not a TOML value is a string, so that names need
/// no quotes.
fn assignment_table(assignment: &str) -> Result<Table, Failure> {
    let Some((key, value)) = assignment.split_once('=') else {
        return Err(Failure::User(format!(
            "--set {assignment}: expected KEY=VALUE, such as lora.r=16"
        )));
    };
    let parsed = toml::from_str::<Table>(&format!("value = {value}"));
    let value = parsed.ok().and_then(|mut table| table.remove("value"));
    let value = value.unwrap_or_else(|| Value::String(assignment[key.len() + 1..].into()));
    let depth = key.matches('.').count();
    if depth > DEEPEST {
        return Err(Failure::User(format!(
            "--set {}…: the key has {depth} dots; expected at most {DEEPEST}",
            key.chars().take(20).collect::<String>()
        )));
    }
    Ok(nested(key.trim(), value))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use finetune_train::{AdaptationPlan, Interval, PretrainingPlan};

    use super::*;

    fn set(assignments: &[&str]) -> Result<TrainOptions, String> {
        let set: Vec<_> = assignments.iter().map(|text| text.to_string()).collect();
        read(None, &set, &TrainOptions::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn dotted_keys_reach_nested_tables() {
        let options = set(&[
            "lora.r=4",
            "lora.target_modules=[\"query\"]",
            "strategy=lora",
        ])
        .unwrap();
        let lora = options.lora.unwrap();
        assert_eq!(lora.r, 4);
        assert_eq!(lora.target_modules.unwrap().to_string(), "[\"query\"]");
        assert_eq!(options.strategy.as_deref(), Some("lora"));
    }

    #[test]
    fn flags_override_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "epochs = 5.0\nper_device_train_batch_size = 8\ntext_column = \"review\"";
        std::fs::write(file.path(), text).unwrap();
        let flags = TrainOptions {
            batch_size: Some(32),
            ..TrainOptions::default()
        };
        let set = ["learning_rate=1e-3".to_string()];
        let options = read(Some(file.path()), &set, &flags).unwrap();
        assert_eq!(options.batch_size, Some(32));
        assert_eq!(options.epochs, Some(5.0));
        assert_eq!(options.learning_rate, Some(1e-3));
        assert_eq!(options.text_column, ["review"]);
    }

    #[test]
    fn a_misspelt_key_suggests_the_nearest() {
        let error = set(&["learning_rat=1.0"]).unwrap_err();
        assert!(error.contains("did you mean learning_rate?"), "{error}");
        let error = set(&["lora.lora_alpa=1"]).unwrap_err();
        assert!(error.contains("did you mean lora_alpha?"), "{error}");
        assert!(set(&["epochs"]).unwrap_err().contains("KEY=VALUE"));
    }

    #[test]
    fn options_of_a_plans_tables_are_set_by_their_own_names() {
        let mut plan = TrainPlan::default();
        let set = |plan: &TrainPlan, text: &str| change(plan, &[text.to_string()]);
        let error = set(&plan, "adapt_epochs=3").unwrap_err().to_string();
        assert!(error.contains("adapt_epochs"), "{error}");
        plan.adaptation = Some(AdaptationPlan {
            epochs: 1.0,
            learning_rate: 1e-4,
            unlabelled: None,
            masks: PretrainingPlan::default(),
        });
        let adaptation = |text: &str| set(&plan, text).unwrap().adaptation.unwrap();
        assert_eq!(adaptation("adapt_epochs=3.0").epochs, 3.0);
        assert_eq!(adaptation("mlm_probability=0.2").masks.mlm_probability, 0.2);
        assert_eq!(
            adaptation("unlabelled=a.txt").unlabelled.as_deref(),
            Some("a.txt")
        );
        plan.adaptation = None;
        plan.pretraining = Some(PretrainingPlan::default());
        let masks = set(&plan, "masking=words").unwrap().pretraining.unwrap();
        assert_eq!(masks.masking.to_string(), "words");
    }

    #[test]
    fn steps_imply_an_interval_by_steps() {
        let change = |set: &[&str]| {
            let set: Vec<_> = set.iter().map(|text| text.to_string()).collect();
            change(&TrainPlan::default(), &set)
        };
        let interval = |set: &[&str]| change(set).unwrap().saving.save;
        let every_100 = Interval::Steps(NonZeroU64::new(100).unwrap());
        assert_eq!(interval(&["save_steps=100"]), every_100);
        assert_eq!(
            interval(&["save_steps=100", "save_strategy=no"]),
            Interval::No
        );
        assert_eq!(interval(&["save_total_limit=3"]), Interval::Epoch);
        let error = change(&["save_steps=0"]).unwrap_err().to_string();
        assert!(error.contains("save_steps is 0"), "{error}");
    }
}
