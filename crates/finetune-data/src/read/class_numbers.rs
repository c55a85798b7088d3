//! Text columns whose classes are declared elsewhere, for instance in a dataset card. As in
//! `datasets`, each cell is a class name or its index, and becomes the index.

use std::path::Path;
use std::sync::Arc;

use crate::arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array, RecordBatch};
use crate::arrow::datatypes::{DataType, Field, FieldRef, Schema};

use super::{RawBatch, place, unreadable};
use crate::read::hf_metadata;
use crate::{Error, Note, Result};

/// The indices of these columns, with their class names.
#[derive(Debug, Default)]
pub(super) struct ClassNumbers(Vec<(usize, Arc<[String]>)>);

impl ClassNumbers {
    /// Finds the columns for which the metadata of `schema` declares classes, and changes the type
    /// of the text columns among them to integers.
    pub(super) fn of(schema: &mut Schema, notes: &mut Vec<Note>) -> Self {
        let mut found = Vec::new();
        let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
        for (index, field) in fields.iter_mut().enumerate() {
            let Some(names) = hf_metadata::class_names(schema, field.name()) else {
                continue;
            };
            notes.push(Note::new(format!(
                "the classes of column `{}` are named by the data set's card: {}",
                field.name(),
                crate::error::listed(&names, 12)
            )));
            if *field.data_type() == DataType::Utf8 && unreadable(field).is_none() {
                found.push((index, names.into()));
                *field = Field::new(field.name(), DataType::Int64, true).into();
            }
        }
        *schema = Schema::new_with_metadata(fields, schema.metadata().clone());
        Self(found)
    }

    /// Returns the field of a column as its reader produces it.
    pub(super) fn as_read(&self, index: usize, field: &FieldRef) -> FieldRef {
        match self.names(index) {
            Some(_) => Field::new(field.name(), DataType::Utf8, true).into(),
            None => Arc::clone(field),
        }
    }

    /// Returns all of these columns.
    pub(super) fn among_all(&self) -> &[(usize, Arc<[String]>)] {
        &self.0
    }

    fn names(&self, index: usize) -> Option<&Arc<[String]>> {
        let mut columns = self.0.iter();
        columns
            .find(|(column, _)| *column == index)
            .map(|(_, names)| names)
    }

    /// Returns the class names for each of `columns`, or `None` if none of them has any.
    pub(super) fn among(&self, columns: &[usize]) -> Option<Vec<Option<Arc<[String]>>>> {
        let names = columns.iter().map(|&index| self.names(index).cloned());
        let names: Vec<_> = names.collect();
        names.iter().any(Option::is_some).then_some(names)
    }
}

/// Replaces the cells of the columns that have class names by class indices.
pub(super) fn numbered(
    path: &Path,
    raw: RawBatch,
    names: &[Option<Arc<[String]>>],
) -> Result<RawBatch> {
    let schema = raw.batch.schema();
    let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
    let mut columns = raw.batch.columns().to_vec();
    for ((column, field), names) in columns.iter_mut().zip(&mut fields).zip(names) {
        if let Some(names) = names {
            *column = numbers(path, &raw, column, field.name(), names)?;
            *field = Field::new(field.name(), DataType::Int64, true).into();
        }
    }
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    let batch = RecordBatch::try_new(schema.into(), columns).map_err(|e| Error::Arrow {
        context: format!("reading the classes of {}", path.display()),
        message: e.to_string(),
    })?;
    Ok(RawBatch { batch, ..raw })
}

fn numbers(
    path: &Path,
    raw: &RawBatch,
    column: &ArrayRef,
    name: &str,
    names: &[String],
) -> Result<ArrayRef> {
    let cells = column.as_string::<i32>();
    let number = |row: usize| {
        if cells.is_null(row) || cells.value(row).trim().is_empty() {
            return Ok(None);
        }
        let cell = cells.value(row);
        let number = number(cell, names).ok_or_else(|| {
            let line = raw.lines.as_ref().and_then(|lines| lines.get(row).copied());
            Error::Record {
                place: place(path, raw.first_row + row as u64, line),
                message: format!(
                    "`{name}` is {cell:?}, which is not one of the classes that the data set's card names ({}), nor the number of one, 0 to {}",
                    crate::error::listed(names, 12),
                    names.len().saturating_sub(1)
                ),
            }
        })?;
        Ok(Some(number))
    };
    let numbers = (0..cells.len()).map(number);
    Ok(Arc::new(numbers.collect::<Result<Int64Array>>()?))
}

/// Finds a class by name, then by index. -1 marks a hidden label.
fn number(cell: &str, names: &[String]) -> Option<i64> {
    if let Some(index) = names.iter().position(|name| name == cell) {
        return i64::try_from(index).ok();
    }
    let number: i64 = cell.trim().parse().ok()?;
    let is_class = usize::try_from(number).is_ok_and(|number| number < names.len());
    (is_class || number == -1).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_before_numbers() {
        let names = ["no", "2", "yes"].map(str::to_owned);
        for (cell, found) in [
            ("no", Some(0)),
            ("yes", Some(2)),
            // A class name takes precedence, although 2 is also another class's index.
            ("2", Some(1)),
            ("0", Some(0)),
            (" 1 ", Some(1)),
            ("-1", Some(-1)),
            ("3", None),
            ("-2", None),
            ("1.5", None),
            ("maybe", None),
        ] {
            assert_eq!(number(cell, &names), found, "{cell}");
        }
    }
}
