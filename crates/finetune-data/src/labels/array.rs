//! The labels of a batch as they stand in the file, before they become classes or values.

use std::borrow::Cow;
use std::sync::Arc;

use crate::arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, LargeListArray, StringArray,
};
use crate::arrow::compute::{CastOptions, cast_with_options};
use crate::arrow::datatypes::DataType;

use crate::rows::column::{Kind, TextArray, list_item, type_name};
use crate::rows::value::Value;
use crate::{Error, LabelCells, Place, Result, RowBatch};

pub(crate) enum LabelArray {
    Integer(Int64Array),
    Float(Float64Array),
    Bool(BooleanArray),
    Text(TextArray),
    /// Texts that list any number of classes with this separator.
    Separated(TextArray, char),
    List {
        rows: LargeListArray,
        items: Box<LabelArray>,
    },
}

impl LabelArray {
    /// Converts the labels that `rows` have in `array`.
    pub(crate) fn new(
        array: &ArrayRef,
        column: &str,
        cells: LabelCells,
        rows: &RowBatch,
    ) -> Result<Self> {
        let labels = Self::of(array, column, &|row| rows.at(row))?;
        match (labels, cells.separator) {
            (LabelArray::Text(texts), Some(separator)) => {
                Ok(LabelArray::Separated(texts, separator))
            }
            (_, Some(separator)) => Err(Error::Classes {
                message: format!(
                    "--label-separator {separator:?} is for texts, but column `{column}` has type {}; leave it out",
                    type_name(array.data_type())
                ),
            }),
            (labels, None) => Ok(labels),
        }
    }

    fn of(array: &ArrayRef, column: &str, place: &dyn Fn(usize) -> Place) -> Result<Self> {
        let cast = |to: &DataType| -> Result<ArrayRef> {
            // Not a "safe" cast, which would silently turn a number that does not fit into null.
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
            Kind::Float if is_decimal(array.data_type()) => {
                LabelArray::Float(float_of_decimal(&cast(&DataType::Utf8)?))
            }
            Kind::Float => {
                LabelArray::Float(Float64Array::from(cast(&DataType::Float64)?.to_data()))
            }
            Kind::Bool => LabelArray::Bool(BooleanArray::from(cast(&DataType::Boolean)?.to_data())),
            Kind::Text | Kind::Null => LabelArray::Text(TextArray::new(array, column, place)?),
            Kind::List => {
                let Some(item) = list_item(array.data_type()) else {
                    return Err(unusable(array.data_type(), column));
                };
                let lists = cast(&DataType::LargeList(Arc::clone(item)))?;
                let rows = LargeListArray::from(lists.to_data());
                let offsets = rows.value_offsets();
                let row = |item: usize| offsets.partition_point(|&offset| offset as usize <= item);
                let place = |item| place(row(item).max(1) - 1);
                let items = Box::new(LabelArray::of(rows.values(), column, &place)?);
                LabelArray::List { rows, items }
            }
            Kind::Other => return Err(unusable(array.data_type(), column)),
        })
    }

    /// Returns the label of row `index`, or [`Value::Null`] if there is none, as for a blank text.
    pub(crate) fn get(&self, index: usize) -> Value<'_> {
        match self {
            LabelArray::Integer(a) if a.is_valid(index) => Value::Integer(a.value(index)),
            LabelArray::Float(a) if a.is_valid(index) => Value::Float(a.value(index)),
            LabelArray::Bool(a) if a.is_valid(index) => Value::Bool(a.value(index)),
            LabelArray::Text(a) => match a.get(index) {
                Some(text) if !is_blank(text) => Value::Text(Cow::Borrowed(text)),
                _ => Value::Null,
            },
            LabelArray::Separated(a, separator) => {
                let parts = a.get(index).unwrap_or_default().split(*separator);
                let parts = parts.map(str::trim).filter(|part| !part.is_empty());
                let part = |part| Value::Text(Cow::Borrowed(part));
                Value::List(parts.map(part).collect())
            }
            LabelArray::List { rows, items } if rows.is_valid(index) => {
                let offsets = rows.value_offsets();
                let range = offsets[index] as usize..offsets[index + 1] as usize;
                Value::List(range.map(|item| items.get(item)).collect())
            }
            _ => Value::Null,
        }
    }

    /// Returns whether the labels are lists of numbers or booleans, that is, one value per output
    /// rather than a list of classes.
    pub(crate) fn is_list_of_numbers(&self) -> bool {
        match self {
            LabelArray::List { items, .. } => {
                matches!(**items, LabelArray::Float(_) | LabelArray::Bool(_))
            }
            _ => false,
        }
    }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

fn is_decimal(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => values.is_decimal(),
        other => other.is_decimal(),
    }
}

/// Converts decimals to the nearest floats by parsing their digits: dividing by a power of ten
/// would round twice.
fn float_of_decimal(digits: &ArrayRef) -> Float64Array {
    let digits = StringArray::from(digits.to_data());
    let number = |digits: Option<&str>| digits.and_then(|digits| digits.parse().ok());
    digits.iter().map(number).collect()
}

/// The error for a column type that cannot hold labels.
pub(crate) fn unusable(data_type: &DataType, column: &str) -> Error {
    Error::ColumnType {
        column: column.to_owned(),
        role: "the label".to_owned(),
        expected: "integers, strings, booleans, floating-point numbers, or lists of them"
            .to_owned(),
        found: type_name(data_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrow::array::{Decimal128Array, FixedSizeListArray, ListArray, ListViewArray};
    use crate::arrow::datatypes::Int32Type;

    fn labels(array: &ArrayRef) -> LabelArray {
        let place = |row| Place {
            file: std::path::Path::new("x").into(),
            row: row as u64,
            line: None,
        };
        LabelArray::of(array, "x", &place).unwrap()
    }

    #[test]
    fn decimals_are_read_to_the_nearest_number() {
        let decimals = Decimal128Array::from(vec![Some(123_456_789_012_345_678_901), None]);
        let decimals = decimals.with_precision_and_scale(38, 19).unwrap();
        let labels = labels(&(Arc::new(decimals) as ArrayRef));
        assert_eq!(labels.get(0), Value::Float(12.345_678_901_234_568));
        assert_eq!(labels.get(1), Value::Null);
    }

    #[test]
    fn blank_texts_are_no_labels() {
        let texts = StringArray::from(vec!["", " \t\u{a0}", " a"]);
        let labels = labels(&(Arc::new(texts) as ArrayRef));
        assert_eq!(labels.get(0), Value::Null);
        assert_eq!(labels.get(1), Value::Null);
        assert_eq!(labels.get(2), Value::Text(" a".into()));
    }

    /// Lists of every Arrow kind, sliced and with a null among them.
    #[test]
    fn lists_of_every_kind() {
        let rows = || {
            vec![
                Some(vec![Some(9), Some(9)]),
                Some(vec![Some(1), Some(2)]),
                None,
                Some(vec![Some(3), None]),
            ]
        };
        let plain: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows()));
        let view: ArrayRef =
            Arc::new(ListViewArray::from_iter_primitive::<Int32Type, _, _>(rows()));
        let fixed: ArrayRef = Arc::new(FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
            rows(),
            2,
        ));
        let large: ArrayRef = Arc::new(LargeListArray::from_iter_primitive::<Int32Type, _, _>(
            rows(),
        ));
        for array in [plain, view, fixed, large] {
            let kind = array.data_type().clone();
            let labels = labels(&array.slice(1, 3));
            let list = |a, b| Value::List(vec![a, b]);
            let (one, two, three) = (Value::Integer(1), Value::Integer(2), Value::Integer(3));
            assert_eq!(labels.get(0), list(one, two), "{kind}");
            assert_eq!(labels.get(1), Value::Null, "{kind}");
            assert_eq!(labels.get(2), list(three, Value::Null), "{kind}");
        }
    }
}
