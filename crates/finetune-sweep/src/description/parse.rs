//! Reads a description, and says where it is wrong.

use std::{num::NonZeroU64, ops::Range as Span, time::Duration};

use finetune_compare::{
    CompareError,
    description::CheckOptions,
    description_text::{at, entries, unknown},
    options::{has, nested, single_key},
};
use finetune_metrics::Metric;
use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use super::{Draws, MOST_TRIALS, Part, Range, Search, Sweep, Values};

/// The keys of a description.
const KEYS: [&str; 9] = [
    "base",
    "halving",
    "median",
    "method",
    "objective",
    "seed",
    "time",
    "trials",
    "vary",
];
/// The keys of a range.
const RANGE_KEYS: [&str; 5] = ["integer", "log", "max", "min", "step"];
/// The values of `method`.
const METHODS: &str = "grid, random, halton or halving";

const OTHER_ROWS: &str = "trials that are evaluated on other rows or labels cannot be compared";
const WHEN: &str = "it decides when the objective is measured";
const NO_EFFECT: &str = "it has no effect on the objective";
/// Options that cannot vary, with the reason.
const FIXED: [(&str, &str); 32] = [
    ("output", "the runs go into the directory of the sweep"),
    ("resume", "interrupted runs are resumed without being told"),
    (
        "seed",
        "the best seed would be luck; train the best settings with several seeds by finetune compare",
    ),
    (
        "metric_for_best_model",
        "it is the objective, which all trials share; write objective = \"NAME\"",
    ),
    (
        "load_best_model_at_end",
        "it decides which model the objective is measured on",
    ),
    ("dataset", OTHER_ROWS),
    ("dataset_config", OTHER_ROWS),
    ("dataset_revision", OTHER_ROWS),
    ("train_split", OTHER_ROWS),
    ("validation_split", OTHER_ROWS),
    ("validation_fraction", OTHER_ROWS),
    ("test_split", OTHER_ROWS),
    ("eval_rows", OTHER_ROWS),
    ("label_column", OTHER_ROWS),
    ("labels", OTHER_ROWS),
    ("labels_by_position", OTHER_ROWS),
    ("label_separator", OTHER_ROWS),
    ("problem_type", OTHER_ROWS),
    ("skip_invalid", OTHER_ROWS),
    ("eval_strategy", WHEN),
    ("eval_steps", WHEN),
    ("eval_on_start", NO_EFFECT),
    ("eval_batch_size", NO_EFFECT),
    ("save_strategy", NO_EFFECT),
    ("save_steps", NO_EFFECT),
    ("save_total_limit", NO_EFFECT),
    ("save_bytes_limit", NO_EFFECT),
    ("logging_strategy", NO_EFFECT),
    ("logging_steps", NO_EFFECT),
    ("report_to", NO_EFFECT),
    ("device", NO_EFFECT),
    ("feature_cache", NO_EFFECT),
];
/// Options that a sweep sets itself, with the reason.
const OURS: [(&str, &str); 2] = [FIXED[0], FIXED[1]];

impl Sweep {
    /// Reads a description. `check` is called with every table of options.
    ///
    /// # Errors
    /// Fails with [`CompareError::Description`], with the line where there is one.
    pub fn parse(text: &str, check: CheckOptions<'_>) -> Result<Self, CompareError> {
        Reader { text, check }
            .sweep()
            .map_err(|problem| CompareError::Description { problem })
    }

    /// The interval of evaluations in steps that the search needs and the base does not have.
    pub(crate) fn evaluation_steps(&self) -> Option<i64> {
        let steps = match self.search {
            Search::Halving {
                first: Part::Steps(steps),
                ..
            } => steps,
            Search::Median {
                every: Part::Steps(steps),
                ..
            } => steps,
            _ => return None,
        };
        let is_set = self.base.contains_key("eval_steps");
        i64::try_from(steps.get()).ok().filter(|_| !is_set)
    }
}

/// The text, and how options are checked.
struct Reader<'a> {
    text: &'a str,
    check: CheckOptions<'a>,
}

impl Reader<'_> {
    fn sweep(&self) -> Result<Sweep, String> {
        let parsed = DeTable::parse(self.text).map_err(|error| error.to_string())?;
        // The same text gives the same values; the first form has the places, the second one is what
        // options are made of.
        let values: Table = toml::from_str(self.text).map_err(|error| error.to_string())?;
        let mut vary = Vec::new();
        for entry in entries(parsed.get_ref()) {
            let here = |problem: String| at(self.text, &entry.span, &problem);
            match (entry.key, entry.value) {
                ("vary", DeValue::Table(table)) => {
                    if let Some(Value::Table(values)) = values.get("vary") {
                        self.vary(table, values, "", &mut vary)?;
                    }
                }
                ("base" | "halving" | "median", DeValue::Table(_)) => {}
                (key @ ("base" | "vary" | "halving" | "median"), _) => {
                    return Err(here(format!("{key} is no table; write [{key}]")));
                }
                (key, _) if KEYS.contains(&key) => {}
                (key, _) => {
                    let advice = "; options of trials belong in [base] or [vary]";
                    return Err(here(unknown(key, &KEYS, advice)));
                }
            }
        }
        if vary.is_empty() {
            return Err(
                "nothing varies; list values or a range, such as [vary] learning_rate = { min = 1e-5, max = 1e-3, \
                 log = true }"
                    .into(),
            );
        }
        let base = match values.get("base") {
            Some(Value::Table(base)) => self.options("[base]", base.clone())?,
            _ => Table::new(),
        };
        let (draws, halves) = method(&values)?;
        let length = Length::of(&base);
        let halving = table_of(&values, "halving", &["epochs", "factor", "steps"])?;
        let median = table_of(&values, "median", &["epochs", "startup", "steps"])?;
        let search = match (halving, median) {
            (Some(_), Some(_)) => {
                return Err(
                    "[halving] and [median] both say which trials go on; remove one".into(),
                );
            }
            (None, Some(table)) if !halves => length.median(table)?,
            (Some(table), _) => length.halving(table)?,
            (None, None) if !halves => Search::All,
            (None, _) => length.halving(&Table::new())?,
        };
        let sweep = Sweep {
            base,
            vary,
            draws,
            search,
            trials: number(&values, "trials", 1)?.map(|number| number as usize),
            time: time(&values)?,
            seed: number(&values, "seed", 0)?.unwrap_or(0),
            objective: objective(&values)?,
        };
        sweep.check(values.get("median").is_some() && halves)?;
        Ok(sweep)
    }

    /// Collects the keys of a table that vary, and those of the tables in it.
    fn vary(
        &self,
        table: &DeTable<'_>,
        values: &Table,
        above: &str,
        vary: &mut Vec<(String, Values)>,
    ) -> Result<(), String> {
        for entry in entries(table) {
            let here = |problem: String| at(self.text, &entry.span, &problem);
            let key = match above {
                "" => entry.key.to_owned(),
                above => format!("{above}.{}", entry.key),
            };
            let (found, ends) = match (entry.value, values.get(entry.key)) {
                (DeValue::Table(inner), Some(Value::Table(below))) if !is_range(below) => {
                    self.vary(inner, below, &key, vary)?;
                    continue;
                }
                (_, Some(Value::Table(range))) => {
                    let range = self::range(range)
                        .map_err(|problem| here(format!("the range of {key} {problem}")))?;
                    let values = Values::Range(range);
                    let ends = [0.0, 1.0 - f64::EPSILON].map(|point| values.at(point));
                    (values, ends.into_iter().flatten().collect())
                }
                (_, Some(Value::Array(choices))) => {
                    self.choices(&key, choices, &entry.span)?;
                    (Values::Choices(choices.clone()), choices.clone())
                }
                _ => {
                    return Err(here(format!(
                        "{key} has one value; list several, such as {key} = [1, 2], or write a range, such as \
                         {key} = {{ min = 1, max = 10 }}; a value that all trials share belongs in [base]"
                    )));
                }
            };
            let mut canonical = key.clone();
            for value in ends {
                let options = (self.check)(nested(&key, value))
                    .map_err(|problem| here(format!("[vary]: {}", problem.trim_end())))?;
                canonical = single_key(&options).unwrap_or(canonical);
            }
            let option = canonical.split('.').next().unwrap_or_default();
            if let Some((_, reason)) = FIXED.iter().find(|(fixed, _)| *fixed == option) {
                return Err(here(format!("{canonical} cannot vary: {reason}")));
            }
            vary.push((canonical, found));
        }
        Ok(())
    }

    fn choices(&self, key: &str, choices: &[Value], span: &Span<usize>) -> Result<(), String> {
        let here = |problem: String| Err(at(self.text, span, &problem));
        if choices.is_empty() {
            return here(format!(
                "{key} has no values; list at least two, or remove it"
            ));
        }
        let mut numbered = choices.iter().enumerate();
        match numbered.find(|(number, choice)| choices[..*number].contains(choice)) {
            Some((_, twice)) => here(format!("{key} has {twice} twice; remove one")),
            None => Ok(()),
        }
    }

    /// Checks the options of a table.
    fn options(&self, place: &str, options: Table) -> Result<Table, String> {
        for (key, reason) in OURS {
            if options.contains_key(key) {
                return Err(format!("{place} has {key}, but {reason}; remove it"));
            }
        }
        (self.check)(options).map_err(|problem| format!("{place}: {}", problem.trim_end()))
    }
}

impl Sweep {
    /// Checks what the tables say together.
    fn check(&self, halves_by_median: bool) -> Result<(), String> {
        if halves_by_median {
            return Err(
                "method = \"halving\" and [median] both say which trials go on; remove one".into(),
            );
        }
        for (number, (key, values)) in self.vary.iter().enumerate() {
            if has(&self.base, key) {
                return Err(format!(
                    "{key} is in [base] and in [vary], so one of them would have no effect; remove one"
                ));
            }
            if self.vary[..number].iter().any(|(other, _)| other == key) {
                return Err(format!(
                    "{key} varies twice, under two of its names; remove one"
                ));
            }
            if self.draws == Draws::Grid && values.all().is_none() {
                return Err(format!(
                    "the range of {key} has no steps, so a grid would never end; add step, list values, or write \
                     method = \"halton\""
                ));
            }
            if self.search != Search::All && ["epochs", "max_steps"].contains(&key.as_str()) {
                return Err(format!(
                    "{key} cannot vary with [halving] or [median], which compare trials of the same length; move it \
                     to [base]"
                ));
            }
        }
        let base = |key: &str| self.base.get(key);
        if self.objective.is_some() && base("metric_for_best_model").is_some() {
            return Err(
                "metric_for_best_model is in [base] and an objective above; they are the same, so remove one".into(),
            );
        }
        let evaluation = base("eval_strategy").and_then(Value::as_str);
        if evaluation == Some("no") {
            return Err(
                "eval_strategy is \"no\" in [base], but the objective is measured by evaluations; remove it".into(),
            );
        }
        if self.draws != Draws::Grid && self.trials.is_none() && self.time.is_none() {
            return Err(
                "it has no end; write trials = 20 or time = \"2h\" above the tables, or both"
                    .into(),
            );
        }
        self.check_points(evaluation)
    }

    /// Checks that trials are evaluated where they are compared.
    fn check_points(&self, evaluation: Option<&str>) -> Result<(), String> {
        let part = match self.search {
            Search::All => return Ok(()),
            Search::Halving { first, .. } => first,
            Search::Median { every, .. } => every,
        };
        if self.trials.is_none() && self.draws != Draws::Grid {
            return Err("[halving] and [median] need a number of trials; write trials = 20".into());
        }
        let steps = self.base.get("eval_steps").and_then(Value::as_integer);
        match part {
            Part::Epochs(_) if steps.is_some() || evaluation == Some("steps") => Err(
                "trials are compared after epochs, but [base] evaluates by steps; remove eval_strategy and \
                 eval_steps, or compare after steps"
                    .into(),
            ),
            Part::Steps(_) if evaluation == Some("epoch") => Err(
                "trials are compared after steps, but [base] evaluates after epochs; remove eval_strategy, or \
                 compare after epochs"
                    .into(),
            ),
            Part::Steps(first) if steps.is_some_and(|steps| steps < 1 || first.get() % steps as u64 != 0) => {
                Err(format!(
                    "trials are compared after {first} steps, which is no multiple of eval_steps in [base]; remove \
                     eval_steps, or change one of them"
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The length of a whole run, as the base says it.
enum Length {
    Steps(u64),
    Epochs(f64),
    Unknown,
}

impl Length {
    fn of(base: &Table) -> Self {
        let steps = base.get("max_steps").and_then(Value::as_integer);
        let steps = steps.and_then(|steps| u64::try_from(steps).ok());
        let epochs = base.get("epochs").and_then(|epochs| match epochs {
            Value::Integer(epochs) => Some(*epochs as f64),
            epochs => epochs.as_float(),
        });
        match (steps.filter(|steps| *steps > 0), epochs) {
            (Some(steps), _) => Self::Steps(steps),
            (None, Some(epochs)) => Self::Epochs(epochs),
            (None, None) => Self::Unknown,
        }
    }

    fn halving(&self, table: &Table) -> Result<Search, String> {
        let (first, whole) = self.part(table, "halving")?;
        Ok(Search::Halving {
            first,
            factor: number(table, "factor", 2)
                .map_err(|problem| format!("[halving] {problem}"))?
                .unwrap_or(3),
            whole,
        })
    }

    fn median(&self, table: &Table) -> Result<Search, String> {
        let (every, whole) = self.part(table, "median")?;
        let startup =
            number(table, "startup", 2).map_err(|problem| format!("[median] {problem}"))?;
        Ok(Search::Median {
            every,
            startup: startup.unwrap_or(5) as usize,
            whole,
        })
    }

    /// The part of a run after which trials are compared, and the length of the run in the same unit.
    fn part(&self, table: &Table, name: &str) -> Result<(Part, f64), String> {
        let of = |key| {
            let number = number(table, key, 1).map_err(|problem| format!("[{name}] {problem}"))?;
            Ok::<_, String>(number.and_then(NonZeroU64::new))
        };
        let (part, whole) = match (of("steps")?, of("epochs")?, self) {
            (Some(_), Some(_), _) => {
                return Err(format!("[{name}] has steps and epochs; remove one"));
            }
            (_, _, Self::Unknown) => {
                return Err(format!(
                    "[{name}] needs to know how long a whole run is; write epochs or max_steps in [base]"
                ));
            }
            (Some(steps), None, Self::Steps(whole)) => (Part::Steps(steps), *whole as f64),
            (Some(_), None, Self::Epochs(_)) => {
                return Err(format!(
                    "[{name}] counts steps, but the length of a run is in epochs; write max_steps in [base], or \
                     epochs in [{name}]"
                ));
            }
            (None, epochs, Self::Epochs(whole)) => {
                (Part::Epochs(epochs.unwrap_or(NonZeroU64::MIN)), *whole)
            }
            (None, _, Self::Steps(_)) => {
                return Err(format!(
                    "the length of a run is in steps (max_steps); write steps in [{name}], such as steps = 100"
                ));
            }
        };
        match part.times(1, whole) {
            crate::Budget::Full => Err(format!(
                "[{name}] compares trials after {}, when they have ended already; choose less",
                part.times(1, f64::INFINITY)
            )),
            _ => Ok((part, whole)),
        }
    }
}

/// How settings are chosen, and whether trials are halved.
fn method(values: &Table) -> Result<(Draws, bool), String> {
    let Some(value) = values.get("method") else {
        return Ok((Draws::Halton, false));
    };
    match value.as_str() {
        Some("grid") => Ok((Draws::Grid, false)),
        Some("random") => Ok((Draws::Random, false)),
        Some("halton") => Ok((Draws::Halton, false)),
        Some("halving" | "asha") => Ok((Draws::Halton, true)),
        _ => Err(format!("method is {value}; expected {METHODS}")),
    }
}

fn objective(values: &Table) -> Result<Option<Metric>, String> {
    let Some(value) = values.get("objective") else {
        return Ok(None);
    };
    let name = value.as_str().ok_or_else(|| {
        format!("objective is {value}; expected the name of a metric, such as \"f1_macro\"")
    })?;
    let metric = name
        .parse()
        .map_err(|error| format!("objective: {error}"))?;
    Ok(Some(metric))
}

fn time(values: &Table) -> Result<Option<Duration>, String> {
    let Some(value) = values.get("time") else {
        return Ok(None);
    };
    let time = value
        .as_str()
        .and_then(|text| humantime::parse_duration(text).ok());
    match time.filter(|time| !time.is_zero()) {
        Some(time) => Ok(Some(time)),
        None => Err(format!(
            "time is {value}; expected a duration, such as \"90min\" or \"2h 30min\""
        )),
    }
}

/// A table with these keys, if there is one.
fn table_of<'a>(values: &'a Table, name: &str, keys: &[&str]) -> Result<Option<&'a Table>, String> {
    let Some(Value::Table(table)) = values.get(name) else {
        return Ok(None);
    };
    match table.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!("[{name}]: {}", unknown(key, keys, ""))),
        None => Ok(Some(table)),
    }
}

/// A whole number that is `least` or more and at most the greatest number of trials, or any for `seed`.
fn number(values: &Table, key: &str, least: u64) -> Result<Option<u64>, String> {
    let Some(value) = values.get(key) else {
        return Ok(None);
    };
    let most = if key == "trials" {
        MOST_TRIALS as u64
    } else {
        u64::MAX
    };
    let number = value
        .as_integer()
        .and_then(|number| u64::try_from(number).ok());
    let number = number.filter(|number| (least..=most).contains(number));
    let limit = match key {
        "trials" => format!("from {least} to {most}"),
        _ => format!("of {least} or more"),
    };
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(format!("{key} is {value}; expected a whole number {limit}")),
    }
}

fn is_range(table: &Table) -> bool {
    table.is_empty() || table.keys().any(|key| RANGE_KEYS.contains(&key.as_str()))
}

/// Reads a range, or says what is wrong with it, as the end of a sentence.
fn range(table: &Table) -> Result<Range, String> {
    if let Some(key) = table.keys().find(|key| !RANGE_KEYS.contains(&key.as_str())) {
        return Err(format!("has an {}", unknown(key, &RANGE_KEYS, "")));
    }
    let number = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(Value::Integer(number)) => Ok(Some(*number as f64)),
        Some(Value::Float(number)) if number.is_finite() => Ok(Some(*number)),
        Some(other) => Err(format!("has {key} = {other}; expected a number")),
    };
    let flag = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(Value::Boolean(flag)) => Ok(Some(*flag)),
        Some(other) => Err(format!("has {key} = {other}; expected true or false")),
    };
    let (min, max, step) = (number("min")?, number("max")?, number("step")?);
    let (Some(min), Some(max)) = (min, max) else {
        return Err("needs min and max".into());
    };
    let log = flag("log")?.unwrap_or(false);
    let are_integers = ["min", "max", "step"]
        .iter()
        .all(|key| !matches!(table.get(*key), Some(Value::Float(_))));
    let integer = flag("integer")?.unwrap_or(are_integers);
    if min >= max {
        return Err(format!(
            "is empty, since min = {min} is not less than max = {max}"
        ));
    }
    if log && min <= 0.0 {
        return Err(format!(
            "is logarithmic, but begins at {min}; expected min above 0"
        ));
    }
    if integer
        && [Some(min), Some(max), step]
            .iter()
            .flatten()
            .any(|number| number.fract() != 0.0)
    {
        return Err("has whole numbers, but min, max or step is none".into());
    }
    match step {
        Some(_) if log => Err("has log and step; remove one".into()),
        Some(step) if !(step > 0.0 && step <= max - min) => Err(format!(
            "has step = {step}; expected more than 0 and at most {}",
            max - min
        )),
        _ => Ok(Range {
            min,
            max,
            log,
            integer,
            step,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Sweep, String> {
        let check = |table: Table| match table.contains_key("strategi") {
            true => Err("unknown field `strategi`\ndid you mean strategy?".to_owned()),
            false => Ok(table),
        };
        Sweep::parse(text, &check).map_err(|error| error.to_string())
    }

    #[test]
    fn a_description_has_keys_bounds_and_a_search() {
        let text = "method = 'halving'\ntrials = 16\ntime = '90min'\nseed = 4\nobjective = 'f1_macro'\n\
                    [base]\nmax_steps = 800\n[halving]\nsteps = 100\nfactor = 2\n[vary]\n\
                    learning_rate = { min = 1e-5, max = 1e-3, log = true }\nlora.r = [4, 8]\n";
        let sweep = parse(text).unwrap();
        let keys: Vec<_> = sweep.vary.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["learning_rate", "lora.r"]);
        assert_eq!((sweep.trials, sweep.seed), (Some(16), 4));
        assert_eq!(sweep.time, Some(Duration::from_secs(5400)));
        assert_eq!(sweep.objective, Some(Metric::F1Macro));
        let steps = NonZeroU64::new(100).unwrap();
        let expected = Search::Halving {
            first: Part::Steps(steps),
            factor: 2,
            whole: 800.0,
        };
        assert_eq!(sweep.search, expected);
        let options = sweep.fixed_options();
        assert_eq!(options["eval_steps"].as_integer(), Some(100));
        assert_eq!(options["metric_for_best_model"].as_str(), Some("f1_macro"));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let vary = "[vary]\na = [1, 2]\n";
        let halving = format!("trials = 9\nmethod = 'halving'\n{vary}");
        for (text, words) in [
            (
                "trials = 3\n[vari]\na = [1]\n".to_owned(),
                "line 2: unknown key `vari`; did you mean vary?",
            ),
            (
                "epochs = 3\n".into(),
                "options of trials belong in [base] or [vary]",
            ),
            ("trials = 3\n".into(), "nothing varies"),
            ("trials = 3\n[vary]\n".into(), "nothing varies"),
            (vary.into(), "it has no end"),
            (
                "trials = 3\n[vary]\na = []\n".into(),
                "line 3: a has no values",
            ),
            ("trials = 3\n[vary]\na = [1, 1]\n".into(), "a has 1 twice"),
            (
                "trials = 3\n[vary]\na = 1\n".into(),
                "line 3: a has one value",
            ),
            (
                "trials = 3\n[vary]\na = {}\n".into(),
                "the range of a needs min and max",
            ),
            (
                "trials = 3\n[vary]\na = { min = 1 }\n".into(),
                "needs min and max",
            ),
            (
                "trials = 3\n[vary]\na = { min = 1, max = 1 }\n".into(),
                "line 3: the range of a is empty",
            ),
            (
                "trials = 3\n[vary]\na = { min = 0.0, max = 1.0, log = true }\n".into(),
                "expected min above 0",
            ),
            (
                "trials = 3\n[vary]\na = { min = 1, max = 2, integr = true }\n".into(),
                "did you mean integer?",
            ),
            (
                "trials = 3\n[vary]\na = { min = 1, max = 9, step = 0 }\n".into(),
                "step = 0",
            ),
            (
                "trials = 3\n[vary]\na = { min = 1, max = 9, step = 2, log = true }\n".into(),
                "log and step",
            ),
            (
                "trials = 3\n[vary]\na = { min = 0.5, max = 9, integer = true }\n".into(),
                "whole numbers",
            ),
            (
                "trials = 3\n[vary]\na = { min = '1', max = 9 }\n".into(),
                "expected a number",
            ),
            (
                "method = 'grid'\n[vary]\na = { min = 0.1, max = 0.9 }\n".into(),
                "would never end",
            ),
            (
                format!("trials = 0\n{vary}"),
                "trials is 0; expected a whole number from 1 to 10000",
            ),
            (format!("trials = 10001\n{vary}"), "trials is 10001"),
            (
                format!("time = '0s'\n{vary}"),
                "time is \"0s\"; expected a duration",
            ),
            (format!("time = 'soon'\n{vary}"), "such as \"90min\""),
            (
                format!("trials = 3\nmethod = 'best'\n{vary}"),
                "expected grid, random, halton or halving",
            ),
            (
                format!("trials = 3\nobjective = 'f2'\n{vary}"),
                "objective: ",
            ),
            (
                format!("trials = 3\n{vary}seed = [1, 2]\n"),
                "seed cannot vary: the best seed would be luck",
            ),
            (
                format!("trials = 3\n{vary}output = ['x', 'y']\n"),
                "line 4: output cannot vary",
            ),
            (
                format!("trials = 3\n{vary}dataset = ['x', 'y']\n"),
                "dataset cannot vary: trials that",
            ),
            (
                format!("trials = 3\n{vary}strategi = ['x', 'y']\n"),
                "did you mean strategy?",
            ),
            (
                format!("trials = 3\n{vary}[base]\na = 3\n"),
                "a is in [base] and in [vary]",
            ),
            (
                format!("trials = 3\n{vary}[base]\noutput = 'x'\n"),
                "[base] has output",
            ),
            (
                format!("trials = 3\n{vary}[base]\neval_strategy = 'no'\n"),
                "measured by evaluations",
            ),
            (halving.clone(), "how long a whole run is"),
            (
                format!("{halving}[base]\nmax_steps = 9\n"),
                "write steps in [halving]",
            ),
            (
                format!("{halving}[base]\nepochs = 1.0\n"),
                "when they have ended already",
            ),
            (
                format!("{halving}[base]\nepochs = 9.0\n[halving]\nsteps = 3\n"),
                "counts steps",
            ),
            (
                format!("{halving}[base]\nepochs = 9.0\n[halving]\nfactor = 1\n"),
                "[halving] factor is 1",
            ),
            (
                format!("{halving}[base]\nepochs = 9.0\n[halving]\nfaktor = 2\n"),
                "did you mean factor?",
            ),
            (
                format!("{halving}[base]\nepochs = 9.0\n[median]\n"),
                "both say which trials go on",
            ),
            (
                format!("{halving}[base]\nepochs = 9.0\neval_steps = 3\n"),
                "[base] evaluates by steps",
            ),
            (
                format!(
                    "{halving}epochs = [3.0, 9.0]\n[base]\nmax_steps = 9\n[halving]\nsteps = 3\n"
                ),
                "epochs cannot vary with",
            ),
            ("a = \n".into(), "TOML parse error at line 1"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
