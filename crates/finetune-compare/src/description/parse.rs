//! Reads a description, and says where it is wrong.

use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use super::{CheckOptions, Description};
use crate::{
    CompareError,
    description_text::{at, entries, unknown},
    name,
    options::{has, nested, single_key},
};

/// The keys of a description.
const KEYS: [&str; 6] = ["base", "grid", "metric", "rows", "seeds", "variants"];
/// Options that a comparison sets itself, each with what to write instead.
const OURS: [(&str, &str); 2] = [
    ("output", "the runs go into the directory of the comparison"),
    ("resume", "interrupted runs are resumed without being told"),
];
/// Maximum number of runs. A longer list is more likely a mistake than months of training.
const MOST_RUNS: usize = 10_000;

impl Description {
    /// Reads a description. `check` is called with every table of options.
    ///
    /// # Errors
    /// Fails with [`CompareError::Description`], with the line where there is one.
    pub fn parse(text: &str, check: CheckOptions<'_>) -> Result<Self, CompareError> {
        Reader { text, check }
            .description()
            .map_err(|problem| CompareError::Description { problem })
    }
}

/// The text, and how options are checked.
struct Reader<'a> {
    text: &'a str,
    check: CheckOptions<'a>,
}

impl Reader<'_> {
    fn description(&self) -> Result<Description, String> {
        let parsed = DeTable::parse(self.text).map_err(|error| error.to_string())?;
        // The same text gives the same values; the first form has the places, the second one is what
        // options are made of.
        let values: Table = toml::from_str(self.text).map_err(|error| error.to_string())?;
        let mut variants = Vec::new();
        let mut grid = Vec::new();
        for entry in entries(parsed.get_ref()) {
            let Some(key) = KEYS.iter().find(|key| **key == entry.key) else {
                let problem = unknown(entry.key, &KEYS, "; options of runs belong in [base]");
                return Err(at(self.text, &entry.span, &problem));
            };
            let here = |problem: String| at(self.text, &entry.span, &problem);
            match (*key, entry.value) {
                ("variants", DeValue::Table(table)) => {
                    variants = self.variants(table, &values).map_err(here)?;
                }
                ("grid", DeValue::Table(table)) => {
                    grid = self.grid(table, &values).map_err(here)?;
                }
                ("base", DeValue::Table(_))
                | ("rows" | "seeds", DeValue::Array(_))
                | ("metric", DeValue::String(_)) => {}
                ("rows" | "seeds", _) => {
                    return Err(here(format!("{key} is no list; write {key} = [1, 2, 3]")));
                }
                ("metric", _) => return Err(here("metric is no text".into())),
                _ => return Err(here(format!("{key} is no table; write [{key}]"))),
            }
        }
        let base = match values.get("base") {
            Some(Value::Table(base)) => self.options("[base]", base.clone())?,
            _ => Table::new(),
        };
        let metric = values.get("metric").and_then(Value::as_str);
        let description = Description {
            base,
            variants,
            grid,
            rows: numbers(&values, "rows", 1)?,
            seeds: numbers(&values, "seeds", 0)?,
            metric: metric.map(str::to_owned),
        };
        description.check()?;
        Ok(description)
    }

    fn variants(
        &self,
        table: &DeTable<'_>,
        values: &Table,
    ) -> Result<Vec<(String, Table)>, String> {
        let mut variants: Vec<(String, Table)> = Vec::new();
        for entry in entries(table) {
            let here = |problem: String| at(self.text, &entry.span, &problem);
            name::check(entry.key).map_err(here)?;
            let folded = entry.key.to_lowercase();
            if let Some((other, _)) = variants
                .iter()
                .find(|(other, _)| other.to_lowercase() == folded)
            {
                return Err(here(format!(
                    "the variants {other} and {} differ by case alone, which some disks do not tell apart; \
                     rename one",
                    entry.key
                )));
            }
            let Some(Value::Table(options)) = values["variants"].get(entry.key) else {
                return Err(here(format!(
                    "the variant {0} is no table; write [variants.{0}] with its options",
                    entry.key
                )));
            };
            let place = format!("[variants.{}]", entry.key);
            variants.push((entry.key.to_owned(), self.options(&place, options.clone())?));
        }
        match variants.is_empty() {
            true => {
                Err("[variants] is empty; describe one as [variants.NAME], or leave it out".into())
            }
            false => Ok(variants),
        }
    }

    fn grid(
        &self,
        table: &DeTable<'_>,
        values: &Table,
    ) -> Result<Vec<(String, Vec<Value>)>, String> {
        let mut grid = Vec::new();
        if let Some(Value::Table(values)) = values.get("grid") {
            self.grid_of(table, values, "", &mut grid)?;
        }
        match grid.is_empty() {
            true => Err(
                "[grid] is empty; list values, such as learning_rate = [1e-5, 3e-5], or leave it out".into(),
            ),
            false => Ok(grid),
        }
    }

    /// Collects the lists of a table and of those in it.
    fn grid_of(
        &self,
        table: &DeTable<'_>,
        values: &Table,
        above: &str,
        grid: &mut Vec<(String, Vec<Value>)>,
    ) -> Result<(), String> {
        for entry in entries(table) {
            let here = |problem: String| at(self.text, &entry.span, &problem);
            let key = match above {
                "" => entry.key.to_owned(),
                above => format!("{above}.{}", entry.key),
            };
            match (entry.value, values.get(entry.key)) {
                (DeValue::Table(inner), Some(Value::Table(values))) => {
                    self.grid_of(inner, values, &key, grid)?;
                }
                (_, Some(Value::Array(choices))) if choices.is_empty() => {
                    return Err(here(format!(
                        "the grid has no values for {key}; list at least one, or remove the key"
                    )));
                }
                (_, Some(Value::Array(choices))) => {
                    if let Some(twice) = repeated(choices) {
                        return Err(here(format!(
                            "the grid has {twice} twice for {key}; remove one"
                        )));
                    }
                    let mut canonical = key.clone();
                    for choice in choices {
                        let options = self.options("[grid]", nested(&key, choice.clone()))?;
                        canonical = single_key(&options).unwrap_or(canonical);
                    }
                    grid.push((canonical, choices.clone()));
                }
                _ => {
                    return Err(here(format!(
                        "the grid needs a list for {key}, such as {key} = [1, 2]; a value that all runs share \
                         belongs in [base]"
                    )));
                }
            }
        }
        Ok(())
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

impl Description {
    /// Checks what the tables say together.
    fn check(&self) -> Result<(), String> {
        let fixed = [("[base]".to_owned(), &self.base)].into_iter();
        let named = self.variants.iter();
        let named = named.map(|(name, options)| (format!("[variants.{name}]"), options));
        let listed = self.grid.iter().map(|(key, _)| (key.as_str(), "[grid]"));
        let rows = (!self.rows.is_empty()).then_some(("train_rows", "rows"));
        let seeds = (!self.seeds.is_empty()).then_some(("seed", "seeds"));
        let listed: Vec<_> = listed.chain(rows).chain(seeds).collect();
        for (place, options) in fixed.chain(named) {
            if let Some((key, list)) = listed.iter().find(|(key, _)| has(options, key)) {
                return Err(format!(
                    "{key} is in {place} and varied by {list}, so one of them would have no effect; remove one"
                ));
            }
        }
        for (number, (key, list)) in listed.iter().enumerate() {
            let mut others = listed[..number].iter();
            if let Some((_, other)) = others.find(|(other, _)| other == key) {
                return Err(format!(
                    "{key} is varied by {other} and by {list}; remove one"
                ));
            }
        }
        if let Some((key, _)) = self.grid.iter().find(|(key, _)| key == "seed") {
            return Err(format!(
                "{key} is in [grid], where each seed would be a variant of its own; write seeds = [1, 2, 3] \
                 above the tables"
            ));
        }
        let lists = self.grid.iter().map(|(_, choices)| choices.len());
        let lists = lists.chain([self.variants.len(), self.rows.len(), self.seeds.len()]);
        let runs = lists.fold(1_usize, |runs, length| runs.saturating_mul(length.max(1)));
        if runs > MOST_RUNS {
            return Err(format!(
                "the description makes {runs} runs; expected at most {MOST_RUNS}"
            ));
        }
        if runs == 1 {
            return Err(
                "it describes a single run; add seeds = [1, 2, 3], rows, a [grid] or [variants.NAME]".into(),
            );
        }
        Ok(())
    }
}

/// The numbers of a list, none of which occurs twice.
fn numbers(values: &Table, key: &str, least: u64) -> Result<Vec<u64>, String> {
    let Some(Value::Array(list)) = values.get(key) else {
        return Ok(Vec::new());
    };
    if list.is_empty() {
        return Err(format!("{key} is empty; list numbers, or leave it out"));
    }
    if let Some(twice) = repeated(list) {
        return Err(format!("{key} has {twice} twice; remove one"));
    }
    let number = |value: &Value| {
        let number = value
            .as_integer()
            .and_then(|number| u64::try_from(number).ok());
        number
            .filter(|number| *number >= least)
            .ok_or_else(|| format!("{key} has {value}; expected whole numbers from {least} on"))
    };
    list.iter().map(number).collect()
}

/// The first value that occurs again.
fn repeated(values: &[Value]) -> Option<&Value> {
    let mut numbered = values.iter().enumerate();
    let again = numbered.find(|(number, value)| values[..*number].contains(value));
    again.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Description, String> {
        let check = |table: Table| match table.contains_key("strategi") {
            true => Err("unknown field `strategi`\ndid you mean strategy?".to_owned()),
            false => Ok(table),
        };
        Description::parse(text, &check).map_err(|error| error.to_string())
    }

    #[test]
    fn the_order_is_that_of_the_file() {
        let text = "seeds = [3, 1]\nrows = [10]\n[base]\nepochs = 1\n[variants.full]\n[variants.adapter]\n\
                    lora.r = 4\n[grid]\nlearning_rate = [1e-5, 1e-4]\nbatch_size = [8]\nia3.x = [1]\n";
        let found = parse(text).unwrap();
        let names: Vec<_> = found
            .variants
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["full", "adapter"]);
        let keys: Vec<_> = found.grid.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["learning_rate", "batch_size", "ia3.x"]);
        assert_eq!((found.seeds, found.rows), (vec![3, 1], vec![10]));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, words) in [
            (
                "[base]\n[variant.a]\n",
                "line 2: unknown key `variant`; did you mean variants?",
            ),
            ("epochs = 3\n", "options of runs belong in [base]"),
            ("seeds = 3\n", "seeds is no list"),
            ("seeds = []\n", "seeds is empty"),
            ("seeds = [1, 1]\n", "seeds has 1 twice"),
            (
                "rows = [0]\n",
                "rows has 0; expected whole numbers from 1 on",
            ),
            ("[grid]\n", "line 1: [grid] is empty"),
            (
                "[base]\n[grid]\na = []\n",
                "line 2: line 3: the grid has no values for a",
            ),
            ("[grid]\na = 1\n", "the grid needs a list for a"),
            ("[grid]\na = [1, 1]\n", "the grid has 1 twice for a"),
            ("[variants]\n", "[variants] is empty"),
            ("variants.a = 1\n", "the variant a is no table"),
            ("[variants.\"a/b\"]\n", "a/b"),
            ("[variants.a]\n[variants.A]\n", "differ by case alone"),
            (
                "[base]\na = 1\n[grid]\na = [1, 2]\n",
                "a is in [base] and varied by [grid]",
            ),
            (
                "[variants.x]\nlora.r = 1\n[grid]\nlora.r = [1, 2]\n",
                "lora.r is in [variants.x]",
            ),
            (
                "rows = [1]\n[base]\ntrain_rows = 2\n",
                "train_rows is in [base] and varied by rows",
            ),
            (
                "rows = [1]\n[grid]\ntrain_rows = [2]\n",
                "train_rows is varied by [grid] and by rows",
            ),
            ("[grid]\nseed = [1, 2]\n", "seeds = [1, 2, 3]"),
            ("[base]\noutput = \"x\"\n", "[base] has output"),
            ("[base]\na = 1\n", "a single run"),
            (
                "[base]\nstrategi = 1\n",
                "[base]: unknown field `strategi`\ndid you mean strategy?",
            ),
            ("[grid]\nstrategi = [1]\n", "did you mean strategy?"),
            ("base = 1\n", "base is no table"),
            ("a = \n", "TOML parse error at line 1"),
        ] {
            let error = parse(text).unwrap_err();
            let words = words
                .strip_prefix("line 2: ")
                .filter(|rest| rest.starts_with("line"))
                .unwrap_or(words);
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn absurdly_many_runs_are_refused() {
        let list: Vec<_> = (0..200).map(|number| number.to_string()).collect();
        let list = list.join(", ");
        let text = format!("seeds = [{list}]\n[grid]\na = [{list}]\n");
        assert!(parse(&text).unwrap_err().contains("makes 40000 runs"));
    }
}
