//! From a description to the runs that it stands for.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{Description, PlannedRun, Variant};
use crate::{
    name,
    options::{merge, nested},
};

/// The name of a variant that has no other.
const ONLY: &str = "base";

impl Description {
    /// Returns the variants in their order: those of the file, each with every combination of the grid, whose
    /// last key changes fastest, and with every number of rows. The same description gives the same names.
    pub fn variants(&self) -> Vec<Variant> {
        let named: Vec<(&str, Table)> = match self.variants.is_empty() {
            true => vec![("", Table::new())],
            false => self
                .variants
                .iter()
                .map(|(name, options)| (name.as_str(), options.clone()))
                .collect(),
        };
        let mut taken = BTreeSet::new();
        let mut variants = Vec::new();
        for (name, options) in named {
            for settings in self.combinations() {
                for rows in numbers(&self.rows) {
                    variants.push(self.variant(name, &options, &settings, rows, &mut taken));
                }
            }
        }
        variants
    }

    fn variant(
        &self,
        name: &str,
        own: &Table,
        settings: &[(&str, &Value)],
        rows: Option<u64>,
        taken: &mut BTreeSet<String>,
    ) -> Variant {
        let mut options = self.base.clone();
        merge(&mut options, own.clone());
        for (key, value) in settings {
            merge(&mut options, nested(key, (*value).clone()));
        }
        let mut shown: Vec<(String, String)> = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), name::shown(value)))
            .collect();
        if let Some(rows) = rows {
            options.insert("train_rows".into(), integer(rows));
            shown.push(("rows".into(), rows.to_string()));
        }
        let parts = shown.iter().map(|(key, value)| format!("{key}-{value}"));
        let named = Some(name.to_owned()).filter(|name| !name.is_empty());
        let whole: Vec<String> = named.into_iter().chain(parts).collect();
        let whole = match whole.is_empty() {
            true => ONLY.to_owned(),
            false => whole.join("-"),
        };
        let name = name::unique(name::file_name(&whole), &whole, taken);
        let run = |seed: Option<u64>| {
            let mut options = options.clone();
            let Some(seed) = seed else {
                return PlannedRun {
                    name: name.clone(),
                    options,
                };
            };
            options.insert("seed".into(), integer(seed));
            PlannedRun {
                name: format!("{name}-seed-{seed}"),
                options,
            }
        };
        Variant {
            runs: numbers(&self.seeds).map(run).collect(),
            name,
            settings: shown,
            rows,
        }
    }

    /// Every choice of one value per key of the grid.
    fn combinations(&self) -> Vec<Vec<(&str, &Value)>> {
        let mut all = vec![Vec::new()];
        for (key, choices) in &self.grid {
            let longer = all.iter().flat_map(|settings| {
                choices.iter().map(|choice| {
                    let mut settings: Vec<(&str, &Value)> = settings.clone();
                    settings.push((key.as_str(), choice));
                    settings
                })
            });
            all = longer.collect();
        }
        all
    }
}

/// The numbers of a list, or none once.
fn numbers(list: &[u64]) -> impl Iterator<Item = Option<u64>> {
    let none = list.is_empty().then_some(None);
    list.iter().map(|number| Some(*number)).chain(none)
}

fn integer(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variants(text: &str) -> Vec<Variant> {
        Description::parse(text, &|table| Ok(table))
            .unwrap()
            .variants()
    }

    #[test]
    fn everything_is_combined_in_order() {
        let text = "seeds = [1, 2]\nrows = [10, 20]\n[base]\nepochs = 1\nlora.alpha = 2\n[variants.b]\n\
                    epochs = 2\n[variants.a]\n[grid]\nlora.r = [4, 8]\n";
        let all = variants(text);
        let names: Vec<_> = all.iter().map(|variant| variant.name.as_str()).collect();
        assert_eq!(
            names[..3],
            [
                "b-lora.r-4-rows-10",
                "b-lora.r-4-rows-20",
                "b-lora.r-8-rows-10"
            ]
        );
        assert_eq!((all.len(), names[4]), (8, "a-lora.r-4-rows-10"));
        let run = &all[2].runs[1];
        assert_eq!(run.name, "b-lora.r-8-rows-10-seed-2");
        let expected = "epochs = 2\nseed = 2\ntrain_rows = 10\n[lora]\nalpha = 2\nr = 8\n";
        assert_eq!(run.options, toml::from_str(expected).unwrap());
        assert_eq!(variants(text), all);
    }

    #[test]
    fn names_are_readable_and_unique() {
        let names = |text: &str| {
            let all = variants(text);
            all.into_iter()
                .map(|variant| variant.runs[0].name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("seeds = [1, 2]\n"), ["base-seed-1"]);
        assert_eq!(names("rows = [5, 6]\n"), ["rows-5", "rows-6"]);
        let models = names("[grid]\nmodel = [\"a/b\", \"a:b\", \"../c\"]\n");
        assert_eq!(models[0], "model-a_b");
        assert!(models[1].starts_with("model-a_b-"), "{models:?}");
        assert_eq!(models[2], "model-.._c");
        // Another order of the values leaves names as they are where nothing clashes.
        assert_eq!(names("[grid]\nx = [1e-5, 2.5]\n"), ["x-1e-5", "x-2.5"]);
    }
}
