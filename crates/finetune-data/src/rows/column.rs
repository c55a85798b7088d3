//! What a column can be used for, independent of its exact Arrow type.

use std::sync::Arc;

use crate::arrow::array::{
    Array, ArrayRef, BinaryViewArray, LargeStringArray, StringArray, StringViewArray,
};
use crate::arrow::compute::cast;
use crate::arrow::datatypes::{DataType, Field, FieldRef, Schema};

use crate::{Error, Place, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Strings, or bytes that must be valid UTF-8.
    Text,
    Integer,
    /// Floating-point numbers and decimals.
    Float,
    Bool,
    List,
    Null,
    Other,
}

impl Kind {
    pub(crate) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Kind::Text,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Kind::Float,
            decimal if decimal.is_decimal() => Kind::Float,
            DataType::Boolean => Kind::Bool,
            DataType::Null => Kind::Null,
            DataType::List(_)
            | DataType::LargeList(_)
            | DataType::ListView(_)
            | DataType::LargeListView(_)
            | DataType::FixedSizeList(_, _) => Kind::List,
            DataType::Dictionary(_, values) => Kind::of(values),
            other if other.is_integer() => Kind::Integer,
            _ => Kind::Other,
        }
    }
}

/// Returns the item field of a list type.
pub(crate) fn list_item(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Some(item),
        _ => None,
    }
}

/// Names a type in the way that users of `datasets` know it.
pub(crate) fn type_name(data_type: &DataType) -> String {
    if let Some(item) = list_item(data_type) {
        return format!("list of {}", type_name(item.data_type()));
    }
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "binary".to_owned(),
        DataType::Dictionary(_, values) => format!("dictionary of {}", type_name(values)),
        DataType::Struct(_) => "struct".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// Lists every column as `name (type)`, for messages.
pub(crate) fn describe(schema: &Schema) -> String {
    let column = |f: &Arc<Field>| {
        let name = f.name();
        match name.trim() == name {
            true => format!("{name} ({})", type_name(f.data_type())),
            false => format!("{name:?} ({})", type_name(f.data_type())),
        }
    };
    crate::error::listed(&schema.fields().iter().map(column).collect::<Vec<_>>(), 30)
}

/// The strings of a column in any of Arrow's string types.
pub(crate) enum TextArray {
    Utf8(StringArray),
    Large(LargeStringArray),
    View(StringViewArray),
}

impl TextArray {
    /// Converts an array to strings. `place` locates a value whose bytes are not UTF-8.
    pub(crate) fn new(
        array: &ArrayRef,
        column: &str,
        place: impl Fn(usize) -> Place,
    ) -> Result<Self> {
        let array = match array.data_type() {
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => text_of_bytes(array, column, place)?,
            DataType::Dictionary(_, values) if Kind::of(values) == Kind::Text => {
                cast_to(array, values, column)?
            }
            // A column that holds only nulls has no type of its own.
            DataType::Null => cast_to(array, &DataType::Utf8, column)?,
            _ => Arc::clone(array),
        };
        let any = array.as_any();
        if let Some(array) = any.downcast_ref::<StringArray>() {
            Ok(TextArray::Utf8(array.clone()))
        } else if let Some(array) = any.downcast_ref::<LargeStringArray>() {
            Ok(TextArray::Large(array.clone()))
        } else if let Some(array) = any.downcast_ref::<StringViewArray>() {
            Ok(TextArray::View(array.clone()))
        } else {
            Err(Error::ColumnType {
                column: column.to_owned(),
                role: "text".to_owned(),
                expected: "strings".to_owned(),
                found: type_name(array.data_type()),
            })
        }
    }

    /// Returns the string at `index`, or `None` for null.
    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        match self {
            TextArray::Utf8(a) => (!a.is_null(index)).then(|| a.value(index)),
            TextArray::Large(a) => (!a.is_null(index)).then(|| a.value(index)),
            TextArray::View(a) => (!a.is_null(index)).then(|| a.value(index)),
        }
    }
}

/// Decodes bytes as UTF-8.
fn text_of_bytes(
    array: &ArrayRef,
    column: &str,
    place: impl Fn(usize) -> Place,
) -> Result<ArrayRef> {
    let bytes = BinaryViewArray::from(cast_to(array, &DataType::BinaryView, column)?.to_data());
    let text = |(index, bytes): (usize, Option<&[u8]>)| match bytes.map(std::str::from_utf8) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text.to_owned())),
        Some(Err(_)) => Err(Error::Utf8 {
            encoding: "UTF-8",
            place: place(index),
            what: format!("column `{column}`, which holds bytes,"),
        }),
    };
    let texts = bytes.iter().enumerate().map(text);
    Ok(Arc::new(texts.collect::<Result<StringArray>>()?))
}

pub(crate) fn cast_to(array: &ArrayRef, to: &DataType, column: &str) -> Result<ArrayRef> {
    cast(array, to).map_err(|e| Error::Arrow {
        context: format!("reading column `{column}`"),
        message: e.to_string(),
    })
}
