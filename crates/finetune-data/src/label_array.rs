//! Labels of a batch as they stand in the file, before they become classes or values.

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;

use crate::column::{Kind, TextArray, type_name};
use crate::{Error, Result};

pub(crate) enum LabelArray {
    Integer(Int64Array),
    Float(Float64Array),
    Bool(BooleanArray),
    Text(TextArray),
}

/// One label as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RawLabel<'a> {
    Null,
    Integer(i64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
}

impl LabelArray {
    pub(crate) fn new(array: &ArrayRef, column: &str) -> Result<Self> {
        let cast = |to: &DataType| -> Result<ArrayRef> {
            // Not "safe": a number that does not fit is an error, never a silent null.
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            cast_with_options(array, to, &options).map_err(|e| Error::Arrow {
                context: format!("reading labels from column `{column}`"),
                message: e.to_string(),
            })
        };
        Ok(match Kind::of(array.data_type()) {
            Kind::Integer => {
                LabelArray::Integer(Int64Array::from(cast(&DataType::Int64)?.to_data()))
            }
            Kind::Float => {
                LabelArray::Float(Float64Array::from(cast(&DataType::Float64)?.to_data()))
            }
            Kind::Bool => LabelArray::Bool(BooleanArray::from(cast(&DataType::Boolean)?.to_data())),
            Kind::Text | Kind::Null => LabelArray::Text(TextArray::new(array, column)?),
            Kind::List | Kind::Other => return Err(unusable(array.data_type(), column)),
        })
    }

    pub(crate) fn get(&self, index: usize) -> RawLabel<'_> {
        match self {
            LabelArray::Integer(a) if a.is_valid(index) => RawLabel::Integer(a.value(index)),
            LabelArray::Float(a) if a.is_valid(index) => RawLabel::Float(a.value(index)),
            LabelArray::Bool(a) if a.is_valid(index) => RawLabel::Bool(a.value(index)),
            LabelArray::Text(a) => a.get(index).map_or(RawLabel::Null, RawLabel::Text),
            _ => RawLabel::Null,
        }
    }
}

/// The error for a column type that cannot hold labels.
pub(crate) fn unusable(data_type: &DataType, column: &str) -> Error {
    let (column, found) = (column.to_owned(), type_name(data_type));
    if Kind::of(data_type) == Kind::List {
        return Error::MultiLabel { column, found };
    }
    Error::ColumnType {
        column,
        role: "the label".to_owned(),
        expected: "integers, strings, booleans or floating-point numbers".to_owned(),
        found,
    }
}
