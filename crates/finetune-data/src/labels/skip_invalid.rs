//! Leaves out the rows from which nothing can be learned.

use std::fmt;
use std::sync::Arc;

use crate::error::Place;
use crate::labels::array::LabelArray;
use crate::labels::decoder::class_names;
use crate::labels::facts::marks_missing_value;
use crate::rows::column::TextArray;
use crate::rows::value::Value;
use crate::{Columns, Result, RowBatch, Split};

/// How many rows were left out, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Number of rows left out.
    pub rows: u64,
    /// The first of them.
    pub first: Place,
    /// What the first of them lacks.
    pub lacks: &'static str,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, were) = match self.rows {
            1 => ("row", "was"),
            _ => ("rows", "were"),
        };
        let (count, first, lacks) = (self.rows, &self.first, self.lacks);
        write!(
            f,
            "{count} {rows} {were} left out, the first of them {first}, which has no {lacks}"
        )
    }
}

impl Split {
    /// Selects the rows that have a text and a label, and returns how many others there are. A
    /// label is missing if it is null, a blank text, NaN, -1 where the file names its classes or,
    /// among numbers, a text such as `NA`. Reads the columns once, and a second time if it meets
    /// such a text.
    ///
    /// # Errors
    /// Fails for unknown columns and for a file that cannot be read.
    pub fn without_invalid(&self, columns: &Columns) -> Result<(Split, Option<Skipped>)> {
        let (mut split, mut skipped, texts) = self.valid(columns, false)?;
        if texts == Texts::AmongNumbers {
            (split, skipped, _) = self.valid(columns, true)?;
        }
        Ok((split, skipped))
    }

    /// Selects the valid rows. With `numbers`, texts that mark a missing value are not labels.
    fn valid(&self, columns: &Columns, numbers: bool) -> Result<(Split, Option<Skipped>, Texts)> {
        let names: Vec<_> = columns.text.iter().chain(&columns.label).collect();
        let names: Vec<_> = names.into_iter().map(String::as_str).collect();
        let schemas = self.schemas()?;
        let mut state = State {
            columns,
            numbers,
            skipped: None,
            marks_missing: false,
            other: None,
        };
        let mut batches = self.read(&names)?;
        let mut verdicts: std::vec::IntoIter<bool> = Vec::new().into_iter();
        let split = self.filter(|| {
            loop {
                if let Some(verdict) = verdicts.next() {
                    return Ok::<_, crate::Error>(verdict);
                }
                let Some(rows) = batches.next() else {
                    // There are fewer rows than expected, which the next reader of the rows
                    // reports.
                    return Ok(true);
                };
                let rows = rows?;
                let hidden = columns
                    .label
                    .iter()
                    .map(|column| class_names(&schemas[rows.file_index()], column).is_some());
                verdicts = state
                    .verdicts(&rows, &hidden.collect::<Vec<_>>())?
                    .into_iter();
            }
        })?;
        let texts = match (state.marks_missing, state.other) {
            (true, Some(true)) => Texts::AmongNumbers,
            _ => Texts::Names,
        };
        let split = match &state.skipped {
            None => self.clone(),
            Some(skipped) => split.named(format!(
                "{} without {} invalid row{}",
                self.name(),
                skipped.rows,
                if skipped.rows == 1 { "" } else { "s" }
            )),
        };
        Ok((split, state.skipped, texts))
    }
}

/// The labels among which texts that mark a missing value occur.
#[derive(PartialEq, Eq)]
enum Texts {
    Names,
    AmongNumbers,
}

struct State<'a> {
    columns: &'a Columns,
    numbers: bool,
    skipped: Option<Skipped>,
    /// Whether there was a text that marks a missing value.
    marks_missing: bool,
    /// Whether all other labels are numbers; `None` if there are no others.
    other: Option<bool>,
}

impl State<'_> {
    /// Returns for each row whether it is valid. `hidden` says for each label column whether -1
    /// marks a hidden label.
    fn verdicts(&mut self, rows: &RowBatch, hidden: &[bool]) -> Result<Vec<bool>> {
        let (texts, labels) = rows.batch.columns().split_at(self.columns.text.len());
        let text =
            |(array, column): (&Arc<_>, &String)| TextArray::new(array, column, |row| rows.at(row));
        let label = |(array, column): (&Arc<_>, &String)| {
            LabelArray::new(array, column, self.columns.cells, rows)
        };
        let texts = texts.iter().zip(&self.columns.text).map(text);
        let texts = texts.collect::<Result<Vec<_>>>()?;
        let labels = labels.iter().zip(&self.columns.label).map(label);
        let labels = labels.collect::<Result<Vec<_>>>()?;
        let verdict = |row: usize| {
            let lacks = match texts.iter().all(|texts| texts.get(row).is_some()) {
                false => Some("text"),
                true => {
                    let mut all = labels.iter().zip(hidden);
                    let missing =
                        all.any(|(labels, hidden)| self.is_missing(&labels.get(row), *hidden));
                    missing.then_some("label")
                }
            };
            let Some(lacks) = lacks else { return true };
            let first = || Skipped {
                rows: 0,
                first: rows.at(row),
                lacks,
            };
            self.skipped.get_or_insert_with(first).rows += 1;
            false
        };
        Ok((0..rows.batch.num_rows()).map(verdict).collect())
    }

    fn is_missing(&mut self, label: &Value<'_>, hidden: bool) -> bool {
        match label {
            Value::Null => true,
            Value::Float(value) => !value.is_finite(),
            Value::Integer(-1) => hidden,
            Value::Text(text) if marks_missing_value(text) => {
                self.marks_missing = true;
                self.numbers
            }
            Value::Text(_) => {
                let number = label.number().is_some();
                self.other = Some(self.other.unwrap_or(true) && number);
                false
            }
            label => match label.items() {
                Some(items) => items.contains(&Value::Null),
                None => false,
            },
        }
    }
}
