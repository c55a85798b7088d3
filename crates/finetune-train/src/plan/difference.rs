//! What differs between two plans, and whether a run can go on all the same.

use std::{collections::BTreeMap, fmt};

use toml::{Table, Value};

use crate::{OnResume, TrainError, TrainPlan, plan::changed_keys::changed_keys, run::layout::PLAN};

/// A key with its value in either plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The key, nested by dots.
    pub key: String,
    /// Its value in the run's plan; empty where it has none.
    pub saved: String,
    /// Its value now.
    pub now: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, saved, now } = self;
        match (saved.as_str(), now.as_str()) {
            ("", now) => write!(f, "{key}: not in the run, now {now}"),
            (saved, "") => write!(f, "{key}: {saved} in the run, now gone"),
            (saved, now) => write!(f, "{key}: {saved} in the run, now {now}"),
        }
    }
}

impl TrainPlan {
    /// The keys in which this plan differs from `now`.
    pub fn differences(&self, now: &Self) -> Result<Vec<Difference>, TrainError> {
        Ok(differences(self.to_table()?, now.to_table()?))
    }

    /// The plan as a table of TOML.
    pub(crate) fn to_table(&self) -> Result<Table, TrainError> {
        Table::try_from(self).map_err(|error| {
            TrainError::Internal(format!("cannot write the plan as TOML: {error}"))
        })
    }

    /// The differences from `now` that are harmless or `accepted` by name, and the others.
    pub(crate) fn sorted_differences(
        &self,
        now: &Self,
        accepted: &[String],
    ) -> Result<(Vec<Difference>, Vec<Difference>), TrainError> {
        let is = |key: &str, name: &str| key == name || key.starts_with(&format!("{name}."));
        let differences = self.differences(now)?.into_iter();
        Ok(differences.partition(|difference| {
            let keys = Self::KEYS.iter();
            let harmless = keys.filter(|key| key.on_resume == OnResume::Harmless);
            let mut names = harmless
                .map(|key| key.name)
                .chain(accepted.iter().map(String::as_str));
            names.any(|name| is(&difference.key, name))
        }))
    }

    /// Refuses to go on with `now` where it differs from this plan in more than what is harmless or
    /// `accepted` by name. The differences that are let pass are returned.
    pub fn check_resumable(
        &self,
        now: &Self,
        accepted: &[String],
    ) -> Result<Vec<Difference>, TrainError> {
        let (passed, refused) = self.sorted_differences(now, accepted)?;
        match refused.is_empty() {
            true => Ok(passed),
            false => Err(TrainError::ChangedPlan {
                differences: refused,
                restore: Vec::new(),
            }),
        }
    }
}

/// The message of [`TrainError::ChangedPlan`].
pub(crate) fn changed_plan(differences: &[Difference], restore: &[String]) -> String {
    let lines: Vec<_> = differences
        .iter()
        .map(|difference| format!("  {difference}"))
        .collect();
    let accept: Vec<_> = differences
        .iter()
        .map(|difference| format!("--accept {}", difference.key))
        .collect();
    let message = format!(
        "the plan differs from the run's, so its result would not be that of either:\n{}\nStart another run, or add {} if you know the change to be harmless",
        lines.join("\n"),
        accept.join(" ")
    );
    match restore.is_empty() {
        true => message,
        false => format!(
            "{PLAN} was changed since the run was last worked on: {message}. To go on as before, add {}",
            restore.join(" ")
        ),
    }
}

/// The keys in which two tables differ.
pub(crate) fn differences(saved: Table, now: Table) -> Vec<Difference> {
    let (saved, now) = (flat(saved), flat(now));
    let differences = changed_keys(&saved, &now).map(|(key, saved, now)| Difference {
        key: key.into(),
        saved: saved.cloned().unwrap_or_default(),
        now: now.cloned().unwrap_or_default(),
    });
    differences.collect()
}

fn flat(table: Table) -> BTreeMap<String, String> {
    fn add(prefix: &str, value: Value, values: &mut BTreeMap<String, String>) {
        match value {
            Value::Table(table) => {
                for (key, value) in table {
                    let dot = if prefix.is_empty() { "" } else { "." };
                    add(&format!("{prefix}{dot}{key}"), value, values);
                }
            }
            value => {
                values.insert(prefix.into(), value.to_string());
            }
        }
    }
    let mut values = BTreeMap::new();
    add("", Value::Table(table), &mut values);
    values
}
