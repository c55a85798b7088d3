//! Labels of a batch as they stand in the file, before they become classes or values.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, LargeListArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;

use crate::column::{Kind, TextArray, list_item, type_name};
use crate::value::Value;
use crate::{Error, Result};

pub(crate) enum LabelArray {
    Integer(Int64Array),
    Float(Float64Array),
    Bool(BooleanArray),
    Text(TextArray),
    List {
        rows: LargeListArray,
        items: Box<LabelArray>,
    },
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
            Kind::List => {
                let Some(item) = list_item(array.data_type()) else {
                    return Err(unusable(array.data_type(), column));
                };
                let lists = cast(&DataType::LargeList(Arc::clone(item)))?;
                let rows = LargeListArray::from(lists.to_data());
                let items = Box::new(LabelArray::new(rows.values(), column)?);
                LabelArray::List { rows, items }
            }
            Kind::Other => return Err(unusable(array.data_type(), column)),
        })
    }

    /// The label of row `index`; [`Value::Null`] where there is none.
    pub(crate) fn get(&self, index: usize) -> Value<'_> {
        match self {
            LabelArray::Integer(a) if a.is_valid(index) => Value::Integer(a.value(index)),
            LabelArray::Float(a) if a.is_valid(index) => Value::Float(a.value(index)),
            LabelArray::Bool(a) if a.is_valid(index) => Value::Bool(a.value(index)),
            LabelArray::Text(a) => a
                .get(index)
                .map_or(Value::Null, |text| Value::Text(Cow::Borrowed(text))),
            LabelArray::List { rows, items } if rows.is_valid(index) => {
                let offsets = rows.value_offsets();
                let range = offsets[index] as usize..offsets[index + 1] as usize;
                Value::List(range.map(|item| items.get(item)).collect())
            }
            _ => Value::Null,
        }
    }

    /// Lists of numbers or booleans: a value for each output rather than the classes of a row.
    pub(crate) fn is_list_of_numbers(&self) -> bool {
        match self {
            LabelArray::List { items, .. } => {
                matches!(**items, LabelArray::Float(_) | LabelArray::Bool(_))
            }
            _ => false,
        }
    }
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
    use arrow::array::{FixedSizeListArray, ListArray, ListViewArray};
    use arrow::datatypes::Int32Type;

    /// Lists of any of Arrow's kinds, sliced and with a null among them.
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
            let labels = LabelArray::new(&array.slice(1, 3), "x").unwrap();
            let list = |a, b| Value::List(vec![a, b]);
            let (one, two, three) = (Value::Integer(1), Value::Integer(2), Value::Integer(3));
            assert_eq!(labels.get(0), list(one, two), "{kind}");
            assert_eq!(labels.get(1), Value::Null, "{kind}");
            assert_eq!(labels.get(2), list(three, Value::Null), "{kind}");
        }
    }
}
