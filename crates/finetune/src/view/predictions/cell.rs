//! Converts the values of a column to text and to JSON.

use finetune_data::{
    JSON_TEXT,
    arrow::{
        array::{Array, ArrayRef, AsArray, LargeStringArray},
        compute::cast,
        datatypes::{
            DataType, Field, Float16Type, Float32Type, Float64Type, Int64Type, UInt64Type,
        },
        error::ArrowError,
        util::display::{ArrayFormatter, FormatOptions},
    },
};
use serde_json::{Map, Value, json};

/// The format of values without a special case: dates, decimals, bytes (in hex).
const OPTIONS: FormatOptions<'static> = FormatOptions::new();

/// One column of a batch, prepared for conversion cell by cell.
pub struct Cells<'a> {
    array: &'a ArrayRef,
    form: Form<'a>,
}

enum Form<'a> {
    Text(LargeStringArray),
    /// Strings that are JSON.
    Json(LargeStringArray),
    /// Lists, structs and maps.
    Nested,
    Other(ArrayFormatter<'a>),
}

impl<'a> Cells<'a> {
    /// Prepares the cells of `array`, a column of this field.
    ///
    /// # Errors
    /// Fails if values of this type cannot be converted.
    pub fn new(field: &Field, array: &'a ArrayRef) -> Result<Self, ArrowError> {
        let form = if is_text(array.data_type()) {
            let strings = cast(array, &DataType::LargeUtf8)?
                .as_string::<i64>()
                .clone();
            match field.metadata().contains_key(JSON_TEXT) {
                true => Form::Json(strings),
                false => Form::Text(strings),
            }
        } else if array.data_type().is_nested() {
            Form::Nested
        } else {
            Form::Other(ArrayFormatter::try_new(array, &OPTIONS)?)
        };
        Ok(Self { array, form })
    }

    /// Returns a value as text, or as JSON if it is nested; `None` for null.
    ///
    /// # Errors
    /// Fails if the value cannot be converted.
    pub fn text(&self, row: usize) -> Result<Option<String>, ArrowError> {
        if self.array.is_null(row) || *self.array.data_type() == DataType::Null {
            return Ok(None);
        }
        Ok(Some(match &self.form {
            Form::Text(strings) => strings.value(row).into(),
            // A string among values of other types is written without quotes.
            Form::Json(strings) => match serde_json::from_str(strings.value(row)) {
                Ok(Value::String(text)) => text,
                _ => strings.value(row).into(),
            },
            Form::Nested => json_of(self.array, row)?.to_string(),
            Form::Other(formatter) => formatter.value(row).try_to_string()?,
        }))
    }

    /// Returns a value as JSON.
    ///
    /// # Errors
    /// Fails if the value cannot be converted.
    pub fn json(&self, row: usize) -> Result<Value, ArrowError> {
        if let Form::Json(strings) = &self.form
            && !strings.is_null(row)
        {
            let parsed = serde_json::from_str(strings.value(row));
            return parsed.map_err(|error| ArrowError::JsonError(error.to_string()));
        }
        json_of(self.array, row)
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Converts a value of any type to JSON. Dates, decimals and bytes (in hex), which JSON lacks, become text.
fn json_of(array: &ArrayRef, row: usize) -> Result<Value, ArrowError> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    let list = |items: ArrayRef| {
        let items = (0..items.len()).map(|item| json_of(&items, item));
        items.collect::<Result<Vec<_>, _>>().map(Value::Array)
    };
    match array.data_type() {
        DataType::Null => Ok(Value::Null),
        DataType::Boolean => Ok(json!(array.as_boolean().value(row))),
        DataType::Float16 => Ok(number(array.as_primitive::<Float16Type>().value(row))),
        DataType::Float32 => Ok(number(array.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => Ok(json!(array.as_primitive::<Float64Type>().value(row))),
        DataType::UInt64 => Ok(json!(array.as_primitive::<UInt64Type>().value(row))),
        other if other.is_integer() => {
            let one = cast(&array.slice(row, 1), &DataType::Int64)?;
            Ok(json!(one.as_primitive::<Int64Type>().value(0)))
        }
        other if is_text(other) => {
            let one = cast(&array.slice(row, 1), &DataType::LargeUtf8)?;
            Ok(json!(one.as_string::<i64>().value(0)))
        }
        DataType::List(_) => list(array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(_, _) => list(array.as_fixed_size_list().value(row)),
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let values = columns.map(|(field, column)| {
                json_of(column, row).map(|value| (field.name().clone(), value))
            });
            values.collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        DataType::Map(_, _) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let pairs = (0..entries.len()).map(|entry| {
                let key = json_of(keys, entry)?;
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                Ok((key, json_of(values, entry)?))
            });
            pairs
                .collect::<Result<Map<_, _>, ArrowError>>()
                .map(Value::Object)
        }
        DataType::Dictionary(_, values) => json_of(&cast(&array.slice(row, 1), values)?, 0),
        _ => {
            let formatter = ArrayFormatter::try_new(array, &OPTIONS)?;
            Ok(json!(formatter.value(row).try_to_string()?))
        }
    }
}

/// Returns the shortest number that reads back as this one, or null for NaN and infinities.
fn number(value: impl ToString) -> Value {
    json!(value.to_string().parse::<f64>().ok())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use finetune_data::arrow::array::{
        BinaryArray, Date32Array, DictionaryArray, Float32Array, Int8Array, ListArray, StringArray,
        StructArray,
    };
    use finetune_data::arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn every_type_is_converted() {
        let strings = StringArray::from(vec![Some("a \"b\""), None]);
        let dictionary: DictionaryArray<Int32Type> = vec![Some("x"), None].into_iter().collect();
        let lists =
            ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None]), None]);
        let field = Arc::new(Field::new("n", DataType::Int8, true));
        let numbers: ArrayRef = Arc::new(Int8Array::from(vec![Some(-1), None]));
        let columns: [(ArrayRef, &str, Value); 8] = [
            (Arc::new(strings), "a \"b\"", json!("a \"b\"")),
            (Arc::new(dictionary), "x", json!("x")),
            (Arc::new(lists), "[1,null]", json!([1, null])),
            (numbers.clone(), "-1", json!(-1)),
            (
                Arc::new(Float32Array::from(vec![Some(0.1), None])),
                "0.1",
                json!(0.1),
            ),
            (
                Arc::new(Date32Array::from(vec![Some(1), None])),
                "1970-01-02",
                json!("1970-01-02"),
            ),
            (
                Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None])),
                "00ff",
                json!("00ff"),
            ),
            (
                Arc::new(StructArray::from(vec![(field, numbers)])),
                "{\"n\":-1}",
                json!({"n": -1}),
            ),
        ];
        for (array, text, value) in &columns {
            let field = Field::new("c", array.data_type().clone(), true);
            let cells = Cells::new(&field, array).unwrap();
            assert_eq!(cells.text(0).unwrap().as_deref(), Some(*text));
            assert_eq!(&cells.json(0).unwrap(), value);
            let nested = matches!(array.data_type(), DataType::Struct(_));
            let null = cells.text(1).unwrap();
            assert_eq!(null.is_none(), !nested, "{null:?}");
        }
        let nested: ArrayRef = Arc::new(StringArray::from(vec!["{\"b\":1,\"a\":[2]}"]));
        let marked = [(JSON_TEXT.to_string(), String::new())]
            .into_iter()
            .collect();
        let field = Field::new("c", DataType::Utf8, true).with_metadata(marked);
        let cells = Cells::new(&field, &nested).unwrap();
        assert_eq!(cells.json(0).unwrap().to_string(), "{\"b\":1,\"a\":[2]}");
        assert_eq!(cells.text(0).unwrap().unwrap(), "{\"b\":1,\"a\":[2]}");
    }
}
