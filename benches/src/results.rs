//! The result of a job as it is stored in `results.json`. All values are in SI units, which the keys
//! name; their formatting is in [`Column`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::machine::Machine;
use super::statistics::{median, ratio, spread};

/// The result of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobResult {
    /// A short title.
    pub title: String,
    /// Date of the measurement, as in RFC 3339.
    pub date: String,
    /// The machine on which it was measured.
    pub machine: Machine,
    /// Software versions by name.
    pub versions: BTreeMap<String, String>,
    /// The settings, in a sentence or two.
    pub settings: String,
    /// The measured values.
    pub tables: Vec<Table>,
    /// The project's targets and whether they are met.
    pub targets: Vec<Verdict>,
    /// Notes for the reader.
    pub notes: Vec<String>,
    /// The output of another program, if there is no table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A table of contestants or cases and their measured values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Heading of the table, if a job has several.
    pub title: String,
    /// Heading of the rows' names.
    pub label: String,
    /// The measured quantities.
    pub columns: Vec<Column>,
    /// The contestants or cases.
    pub rows: Vec<Row>,
}

/// A quantity and its formatting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in [`Row::values`], including the unit.
    pub key: String,
    /// The column's heading, with the unit.
    pub title: String,
    /// Factor by which values are multiplied for display.
    pub factor: f64,
    /// Number of decimal places.
    pub decimals: usize,
}

/// A contestant or a case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its name for programs.
    pub key: String,
    /// Its name for readers.
    pub name: String,
    /// The values by the columns' keys.
    pub values: BTreeMap<String, Measured>,
    /// The ratios to other rows by their keys: how many times as fast.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub times_as_fast_as: BTreeMap<String, f64>,
    /// The reason why there are no values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
}

/// The values of a quantity in all rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Their median.
    pub median: f64,
    /// The values in the order of the rounds.
    pub rounds: Vec<f64>,
}

/// A target and the value found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The quantity compared.
    pub what: String,
    /// The aim.
    pub aim: String,
    /// The value found; `None` if it was not measured.
    pub found: Option<String>,
    /// Whether the target is met.
    pub met: Option<bool>,
}

impl JobResult {
    /// Adds the versions that a process has reported, by name.
    pub fn add_versions(&mut self, told: &Value) {
        for (name, version) in told.as_object().into_iter().flatten() {
            if let Some(version) = version.as_str() {
                self.versions.insert(name.clone(), version.to_owned());
            }
        }
    }
}

impl Measured {
    /// Creates the measurement from the rounds' values.
    #[must_use]
    pub fn new(rounds: Vec<f64>) -> Self {
        Self {
            median: median(&rounds),
            rounds,
        }
    }
}

impl Column {
    /// Creates a column with this number of decimals.
    #[must_use]
    pub fn new(key: &str, title: &str, decimals: usize) -> Self {
        Self {
            key: key.to_owned(),
            title: title.to_owned(),
            factor: 1.0,
            decimals,
        }
    }

    /// Creates a column for a share, shown in percent.
    #[must_use]
    pub fn percent(key: &str, title: &str) -> Self {
        Self {
            factor: 100.0,
            ..Self::new(key, title, 0)
        }
    }

    /// Formats a value without its unit.
    #[must_use]
    pub fn show(&self, value: f64) -> String {
        format!("{:.*}", self.decimals, value * self.factor)
    }

    /// Creates the column of peak memory in gigabytes.
    #[must_use]
    pub fn peak_memory() -> Self {
        Self {
            factor: 1e-9,
            ..Self::new(PEAK_MEMORY, "peak, GB", 2)
        }
    }
}

/// The key of [`Column::peak_memory`].
pub const PEAK_MEMORY: &str = "peak_memory_bytes";

impl Row {
    /// Returns the values of a quantity in all rounds.
    #[must_use]
    pub fn rounds(&self, key: &str) -> Option<&[f64]> {
        self.values.get(key).map(|measured| &measured.rounds[..])
    }

    /// Returns the median of a quantity.
    #[must_use]
    pub fn median(&self, key: &str) -> Option<f64> {
        self.values.get(key).map(|measured| measured.median)
    }
}

impl Table {
    /// Returns the row with this key.
    #[must_use]
    pub fn row(&self, key: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.key == key)
    }

    /// Adds to each row the ratios of the quantity `key` to those of the rows `against` that were
    /// measured.
    #[must_use]
    pub fn compared(mut self, key: &str, against: &[&str]) -> Self {
        let base = |name: &&str| {
            let rounds = self.row(name)?.rounds(key)?;
            Some(((*name).to_owned(), rounds.to_vec()))
        };
        let bases: Vec<_> = against.iter().filter_map(base).collect();
        for row in &mut self.rows {
            let ratios: BTreeMap<String, f64> = row.rounds(key).map_or_else(BTreeMap::new, |own| {
                let ratios = bases.iter().filter(|(name, _)| *name != row.key);
                ratios
                    .map(|(name, rounds)| (name.clone(), ratio(own, rounds)))
                    .collect()
            });
            row.times_as_fast_as = ratios;
        }
        self
    }

    /// Formats the header and the rows for a terminal or a page: the columns, the spread of the first
    /// one, and ratios.
    #[must_use]
    pub fn cells(&self) -> Vec<Vec<String>> {
        let has_ratio = |base: &&Row| {
            let mut rows = self.rows.iter();
            rows.any(|row| row.times_as_fast_as.contains_key(&base.key))
        };
        let bases: Vec<&Row> = self.rows.iter().filter(has_ratio).collect();
        let mut header = vec![self.label.clone()];
        header.extend(self.columns.iter().map(|column| column.title.clone()));
        header.insert(self.columns.len().min(1) + 1, "spread".to_owned());
        header.extend(bases.iter().map(|base| format!("/ {}", base.name)));
        let rows = self.rows.iter().map(|row| {
            let mut cells = vec![row.name.clone()];
            cells.extend(self.columns.iter().map(|column| {
                let value = row.median(&column.key);
                shown(value, |value| column.show(value))
            }));
            let first = self
                .columns
                .first()
                .and_then(|column| row.rounds(&column.key));
            let several = first.filter(|rounds| rounds.len() > 1);
            let percent = |value: f64| format!("{:.1} %", 100.0 * value);
            cells.insert(
                self.columns.len().min(1) + 1,
                shown(several.map(spread), percent),
            );
            cells.extend(bases.iter().map(|base| {
                let ratio = row.times_as_fast_as.get(&base.key).copied();
                shown(ratio, |ratio| format!("{ratio:.2} ×"))
            }));
            cells
        });
        std::iter::once(header).chain(rows).collect()
    }

    /// Iterates over sentences that say why rows are empty.
    pub fn absences(&self) -> impl Iterator<Item = String> {
        self.rows.iter().filter_map(|row| {
            let reason = row.absent.as_ref()?;
            Some(format!("{}: not measured, {reason}", row.name))
        })
    }
}

/// The text of a cell without a value.
const NOTHING: &str = "–";

fn shown(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    let value = value.filter(|value| value.is_finite());
    value.map_or_else(|| NOTHING.to_owned(), show)
}

impl Verdict {
    /// Returns `met`, `not met` or `not measured`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.met {
            Some(true) => "met",
            Some(false) => "not met",
            None => "not measured",
        }
    }

    /// Formats the header and the rows of a table of targets.
    pub fn cells<'a>(verdicts: impl IntoIterator<Item = &'a Self>) -> Vec<Vec<String>> {
        let header = ["target", "aim", "found", ""].map(str::to_owned).to_vec();
        let rows = verdicts.into_iter().map(|verdict| {
            let found = verdict.found.clone();
            vec![
                verdict.what.clone(),
                verdict.aim.clone(),
                found.unwrap_or_else(|| NOTHING.to_owned()),
                verdict.word().to_owned(),
            ]
        });
        std::iter::once(header).chain(rows).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Creates a table of speeds in three rounds; a row without speeds is absent.
    pub fn table(rows: &[(&str, &[f64])]) -> Table {
        let row = |&(key, rounds): &(&str, &[f64])| Row {
            key: key.to_owned(),
            name: key.replace('_', " "),
            values: [("speed", rounds.to_vec()), (PEAK_MEMORY, vec![1.25e9; 3])]
                .into_iter()
                .filter(|_| !rounds.is_empty())
                .map(|(key, rounds)| (key.to_owned(), Measured::new(rounds)))
                .collect(),
            absent: rounds.is_empty().then(|| "no Python was given".to_owned()),
            ..Row::default()
        };
        Table {
            title: String::new(),
            label: "who".to_owned(),
            columns: vec![Column::new("speed", "samples/s", 1), Column::peak_memory()],
            rows: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn ratios_stand_beside_medians() {
        let table = table(&[
            ("ours_f32", &[60.0, 30.0, 40.0]),
            ("peer_f32", &[20.0, 10.0, 40.0]),
            ("peer_bf16", &[]),
        ])
        .compared("speed", &["peer_f32", "peer_bf16"]);
        assert_eq!(
            table.cells(),
            [
                ["who", "samples/s", "spread", "peak, GB", "/ peer f32"],
                ["ours f32", "40.0", "75.0 %", "1.25", "3.00 ×"],
                ["peer f32", "20.0", "150.0 %", "1.25", "–"],
                ["peer bf16", "–", "–", "–", "–"],
            ]
        );
        assert_eq!(
            table.absences().collect::<Vec<_>>(),
            ["peer bf16: not measured, no Python was given"]
        );
    }

    #[test]
    fn numbers_survive_the_file() {
        let table = table(&[("a", &[1.0 / 3.0]), ("b", &[])]).compared("speed", &["a"]);
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<Table>(&text).unwrap(), table);
    }
}
