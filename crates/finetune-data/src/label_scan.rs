//! Passes over label columns.

use std::collections::BTreeSet;

use crate::cell::Cell;
use crate::error::Place;
use crate::label_array::LabelArray;
use crate::value::Value;
use crate::{Error, Result, Split};

/// More distinct labels than this, and the column is taken for text.
const MAX_CLASSES: usize = 10_000;

/// Calls `each` with every label of these columns.
///
/// # Errors
/// A null label, or what `each` returns.
pub(crate) fn each_label(
    splits: &[&Split],
    columns: &[String],
    mut each: impl FnMut(&Value<'_>, &Cell<'_>) -> Result<()>,
) -> Result<()> {
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    for split in splits {
        for rows in split.read(&names)? {
            let rows = rows?;
            for (array, column) in rows.batch.columns().iter().zip(columns) {
                let labels = LabelArray::new(array, column)?;
                for index in 0..rows.batch.num_rows() {
                    let cell = Cell {
                        rows: &rows,
                        index,
                        column,
                    };
                    match labels.get(index) {
                        Value::Null => return Err(cell.null()),
                        label => each(&label, &cell)?,
                    }
                }
            }
        }
    }
    Ok(())
}

/// What `look` finds in the label of the first row.
pub(crate) fn first_label<T>(
    splits: &[&Split],
    column: &str,
    look: impl FnOnce(&Value<'_>) -> T,
) -> Result<T> {
    for split in splits {
        if let Some(rows) = split.read(&[column])?.next() {
            let rows = rows?;
            let labels = LabelArray::new(rows.batch.column(0), column)?;
            return match labels.get(0) {
                Value::Null => Err(Cell {
                    rows: &rows,
                    index: 0,
                    column,
                }
                .null()),
                label => Ok(look(&label)),
            };
        }
    }
    Ok(look(&Value::Null))
}

/// What kinds of labels a column holds, and which classes they would be.
#[derive(Default)]
pub(crate) struct Scan {
    /// Distinct labels that are not integers.
    others: BTreeSet<String>,
    integers: BTreeSet<i64>,
    /// Does some label not read as a finite number?
    not_number: bool,
    /// Booleans in a list.
    list_bool: bool,
    first_float: Option<(Place, String)>,
    first_minus_one: Option<Place>,
}

impl Scan {
    /// One label per row.
    pub(crate) fn labels(splits: &[&Split], column: &str) -> Result<Self> {
        let mut scan = Scan::default();
        each_label(splits, &[column.to_owned()], |label, cell| {
            scan.add(label, cell);
            scan.check_size(column)
        })?;
        Ok(scan)
    }

    /// A list of labels per row.
    pub(crate) fn lists(splits: &[&Split], column: &str) -> Result<Self> {
        let mut scan = Scan::default();
        each_label(splits, &[column.to_owned()], |label, cell| {
            let items = label.items().ok_or_else(|| cell.not_a_list(label))?;
            for item in items.iter() {
                match item {
                    Value::Null => return Err(cell.null()),
                    Value::List(_) | Value::Object => return Err(cell.not_a_list(label)),
                    Value::Bool(_) => scan.list_bool = true,
                    item => scan.add(item, cell),
                }
            }
            scan.check_size(column)
        })?;
        Ok(scan)
    }

    fn add(&mut self, label: &Value<'_>, cell: &Cell<'_>) {
        match label {
            Value::Integer(value) => self.add_integer(*value, cell),
            Value::Float(_) => self.add_float(label, cell),
            Value::Text(text) => match text.parse::<i64>() {
                // "007" and "+7" are names, not numbers.
                Ok(value) if value.to_string() == **text => self.add_integer(value, cell),
                parsed => {
                    match text.parse::<f64>() {
                        Ok(value) if value.is_finite() && parsed.is_err() => {
                            self.add_float(label, cell);
                        }
                        _ => self.not_number = true,
                    }
                    self.add_other(text);
                }
            },
            other => self.add_other(&other.to_string()),
        }
    }

    fn add_integer(&mut self, value: i64, cell: &Cell<'_>) {
        if value == -1 && self.first_minus_one.is_none() {
            self.first_minus_one = Some(cell.place());
        }
        self.integers.insert(value);
    }

    fn add_float(&mut self, value: &Value<'_>, cell: &Cell<'_>) {
        self.first_float
            .get_or_insert_with(|| (cell.place(), value.to_string()));
    }

    fn add_other(&mut self, text: &str) {
        if !self.others.contains(text) {
            self.others.insert(text.to_owned());
        }
    }

    /// Many distinct numbers are a regression; many distinct strings are no label.
    fn check_size(&mut self, column: &str) -> Result<()> {
        if self.others.len() + self.integers.len() <= MAX_CLASSES {
            return Ok(());
        }
        if self.not_number || self.first_float.is_none() {
            return Err(Error::Classes {
                message: format!(
                    "column `{column}` has more than {MAX_CLASSES} distinct labels; it does not look like a label column"
                ),
            });
        }
        self.others.clear();
        self.integers.clear();
        Ok(())
    }

    fn has_strings(&self) -> bool {
        self.not_number || (!self.others.is_empty() && self.first_float.is_none())
    }

    /// Numbers, of which at least one is not an integer.
    pub(crate) fn is_numbers(&self) -> bool {
        self.first_float.is_some() && !self.has_strings() && !self.list_bool
    }

    /// Lists that hold a 0 or 1 (or false or true) for each class.
    pub(crate) fn is_mask(&self) -> bool {
        self.list_bool || self.is_numbers()
    }

    /// The classes: the distinct strings, sorted, or the integers, which must be `0` to `n-1`.
    pub(crate) fn class_names(self, column: &str) -> Result<Vec<String>> {
        if self.has_strings() {
            let integers = self.integers.iter().map(i64::to_string);
            let names: BTreeSet<String> = self.others.into_iter().chain(integers).collect();
            return Ok(names.into_iter().collect());
        }
        if self.first_float.is_some() {
            return Err(self.float_label(column));
        }
        if !self
            .integers
            .iter()
            .copied()
            .eq(0..self.integers.len() as i64)
        {
            return Err(self.gaps(column));
        }
        Ok(self.integers.iter().map(i64::to_string).collect())
    }

    fn gaps(self, column: &str) -> Error {
        let column = column.to_owned();
        // Without the -1 of hidden labels, would it be a class list?
        let rest = self.integers.iter().filter(|&&v| v != -1).copied();
        if let Some(place) = self.first_minus_one
            && rest.eq(0..self.integers.len() as i64 - 1)
            && self.integers.len() != 2
        {
            return Error::Unlabelled { place, column };
        }
        let found: Vec<_> = self.integers.iter().map(i64::to_string).collect();
        let found = if found.len() <= 20 {
            found.join(",")
        } else {
            format!("{},…", found[..20].join(","))
        };
        Error::IntegerLabels { column, found }
    }

    pub(crate) fn float_label(self, column: &str) -> Error {
        let column = column.to_owned();
        match self.first_float {
            Some((place, found)) => Error::FloatLabel {
                place,
                column,
                found,
            },
            None => Error::Classes {
                message: format!(
                    "column `{column}` holds floating-point numbers, but classes are meant"
                ),
            },
        }
    }
}
