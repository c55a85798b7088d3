//! Leaving out the rows that nothing can be learned from.

use std::fmt;
use std::sync::Arc;

use crate::error::Place;
use crate::labels::array::LabelArray;
use crate::labels::decoder::class_names;
use crate::labels::facts::stands_for_nothing;
use crate::rows::column::TextArray;
use crate::rows::value::Value;
use crate::{Columns, Result, RowBatch, Split};

/// How many rows were left out, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Rows left out.
    pub rows: u64,
    /// The first of them.
    pub first: Place,
    /// What it lacks.
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
    /// The rows that have a text and a label, and how many others there are. No label are null, a
    /// blank text, NaN, -1 where the file names its classes, and among numbers also a text such as
    /// `NA`. Reads the columns once, and a second time where that text is met.
    ///
    /// # Errors
    /// Unknown columns, or a file that cannot be read.
    pub fn without_invalid(&self, columns: &Columns) -> Result<(Split, Option<Skipped>)> {
        let (mut split, mut skipped, texts) = self.valid(columns, false)?;
        if texts == Texts::AmongNumbers {
            (split, skipped, _) = self.valid(columns, true)?;
        }
        Ok((split, skipped))
    }

    /// `numbers`: texts that stand for nothing are no labels.
    fn valid(&self, columns: &Columns, numbers: bool) -> Result<(Split, Option<Skipped>, Texts)> {
        let names: Vec<_> = columns.text.iter().chain(&columns.label).collect();
        let names: Vec<_> = names.into_iter().map(String::as_str).collect();
        let schemas = self.schemas()?;
        let mut state = State {
            columns,
            numbers,
            skipped: None,
            nothings: false,
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
                    // Fewer rows than promised; whoever reads them says so.
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
        let texts = match (state.nothings, state.other) {
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

/// What texts that stand for nothing stand among.
#[derive(PartialEq, Eq)]
enum Texts {
    Names,
    AmongNumbers,
}

struct State<'a> {
    columns: &'a Columns,
    numbers: bool,
    skipped: Option<Skipped>,
    /// Was there a text that stands for nothing?
    nothings: bool,
    /// Are all other labels numbers? `None`: there are no others.
    other: Option<bool>,
}

impl State<'_> {
    /// For each row whether it is valid. `hidden`: whether -1 is no label of the column.
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
            Value::Text(text) if stands_for_nothing(text) => {
                self.nothings = true;
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
