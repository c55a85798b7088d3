//! Comparison of two plans: which keys differ, and whether a run can be resumed despite them.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::{Difference, OnResume, TrainError, TrainPlan, plan::changed_keys::changed_keys};

impl TrainPlan {
    /// Returns the keys in which this plan differs from `now`.
    ///
    /// # Errors
    /// Fails with [`TrainError::Internal`] if a plan cannot be written as TOML.
    pub fn differences(&self, now: &Self) -> Result<Vec<Difference>, TrainError> {
        Ok(differences(self.to_table()?, now.to_table()?))
    }

    /// Splits the differences from `now` into those that are harmless or `accepted` by name, and the
    /// rest.
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

    /// Checks that a run with this plan can be resumed with `now`: only keys that are harmless or
    /// `accepted` by name may differ. Returns these differences.
    ///
    /// # Errors
    /// Fails with [`TrainError::ChangedPlan`], which lists all other differences.
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

/// Returns the keys in which two tables differ.
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
