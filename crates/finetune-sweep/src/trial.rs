//! A trial: a choice of one value for each key that varies.

use finetune_compare::{
    name::{LONGEST_RUN, file_name, shown, with_hash},
    options::{merge, nested},
};
use toml::{Table, Value};

/// A trial of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Its number, from 0.
    pub number: usize,
    /// The name of its directory, which depends on its settings alone.
    pub name: String,
    /// The keys that vary, in the order of the description, with the values of this trial.
    pub settings: Vec<(String, Value)>,
    /// All of its options.
    pub options: Table,
}

impl Trial {
    /// Creates a trial; `fixed` are the options that all trials share.
    pub(crate) fn new(number: usize, settings: Vec<(String, Value)>, fixed: &Table) -> Self {
        let mut options = fixed.clone();
        for (key, value) in &settings {
            merge(&mut options, nested(key, value.clone()));
        }
        Self {
            number,
            name: name(&settings),
            settings,
            options,
        }
    }
}

/// A name for these settings. Whatever a file name cannot tell apart is told apart by a hash.
fn name(settings: &[(String, Value)]) -> String {
    let mut parts: Vec<String> = settings
        .iter()
        .map(|(key, value)| format!("{key}-{}", shown(value)))
        .collect();
    // The order of the keys in the description is no setting.
    parts.sort();
    let whole = parts.join("-");
    let name = file_name(&whole);
    let is_exact = name == whole && name.to_lowercase() == name && name.len() <= LONGEST_RUN;
    match is_exact {
        true => name,
        false => with_hash(&name, &whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_depend_on_settings_alone() {
        let rate = ("learning_rate".to_owned(), Value::Float(3e-5));
        let rank = ("lora.r".to_owned(), Value::Integer(8));
        let fixed = toml::from_str("lora.alpha = 2").unwrap();
        let first = Trial::new(0, vec![rate.clone(), rank.clone()], &fixed);
        let second = Trial::new(7, vec![rank, rate], &Table::new());
        assert_eq!(first.name, "learning_rate-3e-5-lora.r-8");
        assert_eq!(first.name, second.name);
        let expected = "learning_rate = 3e-5\nlora.alpha = 2\nlora.r = 8";
        assert_eq!(first.options, toml::from_str(expected).unwrap());
        let named = |model: &str| {
            let settings = vec![("model".to_owned(), Value::String(model.to_owned()))];
            Trial::new(0, settings, &Table::new()).name
        };
        let names = ["a/b", "a:b", "A_b", &"x".repeat(300)].map(named);
        for (number, name) in names.iter().enumerate() {
            assert!(
                !names[..number].contains(name) && name.len() < 200,
                "{name}"
            );
        }
    }
}
