//! Reads JSON: one object per line, or an array of objects. The type of each column is inferred
//! from the whole file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, ListArray, NullArray, RecordBatch,
    RecordBatchOptions, StringBuilder,
};
use crate::arrow::buffer::{NullBuffer, OffsetBuffer};
use crate::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::input::{Coding, Input};
use super::json_records::Records;
use super::{
    BATCH_BYTES, BATCH_ROWS, BatchIter, FileInfo, JSON_TEXT, RawBatch, place, until_error,
};
use crate::read::options::Stop;
use crate::rows::value::Value;
use crate::{Place, Result};

/// A file with more distinct keys than this uses keys as data.
const MAX_COLUMNS: usize = 4096;

/// Key of the field metadata that says why a column cannot be read.
pub(crate) const UNREADABLE: &str = "finetune:unreadable";

/// Key of the field metadata that gives the row and line where a floating-point number first
/// followed integers.
const MIXED_NUMBERS: &str = "finetune:mixed-numbers";

/// Returns the place of the first floating-point number in a column that held only integers before
/// it.
pub(crate) fn mixed_numbers(schema: &Schema, column: &str, path: &Path) -> Option<Place> {
    let field = schema.field_with_name(column).ok()?;
    let (row, line) = field.metadata().get(MIXED_NUMBERS)?.split_once(' ')?;
    Some(place(path, row.parse().ok()?, line.parse().ok()))
}

/// Returns the field itself, or a field of JSON strings in place of one that cannot be read.
pub(crate) fn json_text(field: &FieldRef) -> FieldRef {
    match field.metadata().contains_key(UNREADABLE) {
        false => Arc::clone(field),
        true => {
            let metadata = HashMap::from([(JSON_TEXT.to_owned(), String::new())]);
            let field = Field::new(field.name(), DataType::Utf8, true);
            Arc::new(field.with_metadata(metadata))
        }
    }
}

pub(super) fn info(path: &Path, coding: &Coding, stop: &Stop) -> Result<FileInfo> {
    let mut records = Records::open(path, coding, stop)?;
    let mut columns: Vec<(String, Type)> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut mixed: HashMap<usize, String> = HashMap::new();
    let mut rows = 0;
    while records.read()? {
        let mut new = None;
        let line = records.line();
        parse(&records, rows, |key, value| {
            let position = match index.get(key.as_ref()) {
                Some(&position) => position,
                None => {
                    index.insert(key.to_string(), columns.len());
                    columns.push((key.to_string(), Type::Null));
                    new = Some(columns.len());
                    columns.len() - 1
                }
            };
            let kind = &mut columns[position].1;
            let found = Type::of(&value, line);
            if (&*kind, &found) == (&Type::Integer, &Type::Float) {
                mixed.insert(position, format!("{rows} {line}"));
            }
            *kind = std::mem::replace(kind, Type::Null).join(found, line);
        })?;
        if new.is_some_and(|count| count > MAX_COLUMNS) {
            let message = format!("more than {MAX_COLUMNS} different keys; are the keys data?");
            return Err(records.error(rows, 0, message));
        }
        rows += 1;
    }
    if rows == 1
        && let Some(message) = columns_not_rows(&columns)
    {
        return Err(records.error(0, 0, message));
    }
    let fields: Vec<_> = columns
        .into_iter()
        .enumerate()
        .map(|(position, (name, kind))| {
            let field = kind.field(&name);
            match mixed.remove(&position) {
                Some(place) if *field.data_type() == DataType::Float64 => {
                    field.with_metadata(HashMap::from([(MIXED_NUMBERS.to_owned(), place)]))
                }
                _ => field,
            }
        })
        .collect();
    Ok(FileInfo {
        schema: Arc::new(Schema::new(fields)),
        rows,
    })
}

/// Describes a file of one object that holds all rows in one of its values, or one column in each.
fn columns_not_rows(columns: &[(String, Type)]) -> Option<String> {
    let is_objects = |kind: &Type| matches!(kind, Type::List(item) if **item == Type::Object);
    if let Some((name, _)) = columns.iter().find(|(_, kind)| is_objects(kind)) {
        return Some(format!(
            "the file is one object, with a list of objects in {name:?}; write that list alone into a file, or each of its objects on a line"
        ));
    }
    let is_column = |kind: &Type| matches!(kind, Type::List(_) | Type::Object);
    if columns.is_empty() || !columns.iter().all(|(_, kind)| is_column(kind)) {
        return None;
    }
    Some(
        "the file is one object with a list or an object for each column, as pandas writes it by default, and not rows; write rows, in pandas with df.to_json(path, orient='records', lines=True)"
            .to_owned(),
    )
}

pub(super) fn read(
    path: &Path,
    coding: &Coding,
    stop: &Stop,
    fields: Vec<FieldRef>,
    rows: Range<u64>,
) -> Result<BatchIter> {
    let fields: Vec<FieldRef> = fields.iter().map(json_text).collect();
    let json = (0..fields.len()).filter(|&i| fields[i].metadata().contains_key(JSON_TEXT));
    let json = json.collect();
    let columns = fields
        .iter()
        .enumerate()
        .map(|(i, f)| (f.name().clone(), i))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let mut batches = Batches {
        records: Records::open(path, coding, stop)?,
        schema,
        columns,
        json,
        row: 0,
        rows,
    };
    Ok(Box::new(until_error(move || batches.batch())))
}

struct Batches {
    records: Records<Input>,
    schema: SchemaRef,
    columns: HashMap<String, usize>,
    /// The columns that are returned as JSON text.
    json: Vec<usize>,
    row: u64,
    rows: Range<u64>,
}

impl Batches {
    fn batch(&mut self) -> Result<Option<RawBatch>> {
        let mut builders: Vec<_> = self
            .schema
            .fields()
            .iter()
            .map(|f| Builder::new(f.data_type()))
            .collect();
        let first_row = self.row.max(self.rows.start);
        let (mut numbers, mut bytes) = (Vec::new(), 0);
        while self.row < self.rows.end && numbers.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            if !self.records.read()? {
                break;
            }
            if self.row >= self.rows.start {
                bytes += self.records.size();
                // If a key occurs twice, its last value wins, as in most parsers.
                let mut values: Vec<Value<'_>> = builders.iter().map(|_| Value::Null).collect();
                parse(&self.records, self.row, |key, value| {
                    if let Some(&column) = self.columns.get(key.as_ref()) {
                        values[column] = value;
                    }
                })?;
                if !self.json.is_empty() {
                    let mut object = object(&self.records, self.row)?;
                    for &column in &self.json {
                        let value = object.remove(self.schema.field(column).name());
                        let value = value.filter(|value| !value.is_null());
                        let text = value.map(|value| Value::Text(Cow::Owned(value.to_string())));
                        values[column] = text.unwrap_or(Value::Null);
                    }
                }
                for (builder, value) in builders.iter_mut().zip(values) {
                    builder.push(value);
                }
                numbers.push(self.records.line());
            }
            self.row += 1;
        }
        if numbers.is_empty() {
            return Ok(None);
        }
        let arrays = builders.into_iter().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(numbers.len()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|e| self.records.error(first_row, 0, e.to_string()))?;
        Ok(Some(RawBatch {
            batch,
            first_row,
            lines: Some(numbers),
        }))
    }
}

/// Parses the current record with everything nested in it.
fn object<R: BufRead>(
    records: &Records<R>,
    row: u64,
) -> Result<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_str(records.text(row)?).map_err(|e| records.error(row, 0, e.to_string()))
}

/// Parses the current record and passes each key and value to `each`.
fn parse<'a, R: BufRead>(
    records: &'a Records<R>,
    row: u64,
    each: impl FnMut(Cow<'a, str>, Value<'a>),
) -> Result<()> {
    let text = records.text(row)?;
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Object(each))
        .and_then(|()| json.end())
        .map_err(|e| {
            // The position that serde_json appends counts lines from the start of the record.
            let message = e.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let hint = hint(text, &e, records.is_array());
            records.error(
                row,
                e.line().saturating_sub(1) as u64,
                format!(
                    "expected a JSON object with named values: {message} (column {}){hint}",
                    e.column()
                ),
            )
        })
}

/// Suggests what is wrong with a record that is not valid JSON.
fn hint(text: &str, error: &serde_json::Error, in_array: bool) -> &'static str {
    let line = text.lines().nth(error.line().saturating_sub(1));
    let column = error.column().saturating_sub(1);
    let at = line.and_then(|line| line.get(column..)).unwrap_or_default();
    if ["NaN", "Infinity", "-Infinity", "nan", "inf"]
        .iter()
        .any(|number| at.starts_with(number))
    {
        "; JSON has no NaN or Infinity: leave the row out, or write null where the value may be missing"
    } else if !in_array && at.trim() == "," {
        "; there is a comma behind the object: leave it out, or put the objects into an array, [ before the first and ] behind the last"
    } else if !in_array && text.trim() == "{" {
        "; an object must stand on one line, unless the objects are the elements of an array"
    } else {
        ""
    }
}

struct Object<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, Value<'de>)> Visitor<'de> for Object<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            (self.0)(key, map.next_value()?);
        }
        Ok(())
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Text(text) => Ok(Key(text)),
            _ => Err(serde::de::Error::custom("a key must be a string")),
        }
    }
}

/// The type of a column, as far as it is known.
#[derive(Debug, PartialEq)]
enum Type {
    Null,
    Bool,
    Integer,
    /// Integers, including this one that no `f64` represents exactly.
    Wide(i64),
    Float,
    Text,
    List(Box<Type>),
    Object,
    Mixed(String),
}

impl Type {
    fn of(value: &Value<'_>, line: u64) -> Self {
        match value {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Integer(value) if i128::from(*value) != (*value as f64) as i128 => {
                Type::Wide(*value)
            }
            Value::Integer(_) => Type::Integer,
            Value::Float(_) => Type::Float,
            Value::Text(_) => Type::Text,
            Value::List(items) => {
                let item = |joined: Type, item| joined.join(Type::of(item, line), line);
                Type::List(Box::new(items.iter().fold(Type::Null, item)))
            }
            Value::Object => Type::Object,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Type::Null | Type::Mixed(_) => "null",
            Type::Bool => "bool",
            Type::Integer | Type::Wide(_) => "integer",
            Type::Float => "number",
            Type::Text => "string",
            Type::List(_) => "list",
            Type::Object => "object",
        }
    }

    fn join(self, other: Type, line: u64) -> Self {
        let own_is_float = self == Type::Float;
        match (self, other) {
            (a, b) if a == b => a,
            (a @ Type::Mixed(_), _) => a,
            (_, b @ Type::Mixed(_)) => b,
            (a, Type::Null) => a,
            (Type::Null, b) => b,
            (Type::Integer, Type::Float) | (Type::Float, Type::Integer) => Type::Float,
            (wide @ Type::Wide(_), Type::Integer | Type::Wide(_)) => wide,
            (Type::Integer, wide @ Type::Wide(_)) => wide,
            (Type::Wide(integer), Type::Float) | (Type::Float, Type::Wide(integer)) => {
                Type::Mixed(format!(
                    "line {line} has {}, the values before {}, and {integer} cannot be kept exactly among numbers with a decimal point; write them all as integers, or all as strings",
                    if own_is_float {
                        "an integer"
                    } else {
                        "a number with a decimal point"
                    },
                    if own_is_float {
                        "a number with a decimal point"
                    } else {
                        "an integer"
                    },
                ))
            }
            (Type::List(a), Type::List(b)) => Type::List(Box::new(a.join(*b, line))),
            (a, b) => Type::Mixed(format!(
                "line {line} has a value of type {}, the values before of type {}",
                b.name(),
                a.name()
            )),
        }
    }

    /// Returns the Arrow type, or why the column cannot be read and the type to show for it.
    fn data_type(self) -> Result<DataType, (DataType, String)> {
        Ok(match self {
            Type::Null | Type::Text => DataType::Utf8,
            Type::Bool => DataType::Boolean,
            Type::Integer | Type::Wide(_) => DataType::Int64,
            Type::Float => DataType::Float64,
            Type::List(item) => match *item {
                Type::List(_) | Type::Object => {
                    let reason = "lists of lists or objects in JSON lines are not read";
                    let shown = DataType::new_list(DataType::Null, true);
                    return Err((shown, reason.to_owned()));
                }
                // Lists that are all empty or hold only nulls.
                Type::Null => DataType::new_list(DataType::Null, true),
                item => {
                    let list_of = |item| DataType::new_list(item, true);
                    let item = item.data_type();
                    list_of(item.map_err(|(shown, reason)| (list_of(shown), reason))?)
                }
            },
            Type::Object => {
                let reason = "nested objects in JSON lines are not read";
                return Err((DataType::Struct(Fields::empty()), reason.to_owned()));
            }
            Type::Mixed(reason) => return Err((DataType::Null, reason)),
        })
    }

    fn field(self, name: &str) -> Field {
        match self.data_type() {
            Ok(data_type) => Field::new(name, data_type, true),
            Err((shown, reason)) => Field::new(name, shown, true)
                .with_metadata(HashMap::from([(UNREADABLE.to_owned(), reason)])),
        }
    }
}

enum Builder {
    Null(usize),
    Bool(BooleanBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    List(Box<ListColumn>),
}

/// The lists of one batch, with their items concatenated.
struct ListColumn {
    item: FieldRef,
    items: Builder,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl Builder {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Builder::Null(0),
            DataType::Boolean => Builder::Bool(BooleanBuilder::new()),
            DataType::Int64 => Builder::Integer(Int64Builder::new()),
            DataType::Float64 => Builder::Float(Float64Builder::new()),
            DataType::List(item) => Builder::List(Box::new(ListColumn {
                item: Arc::clone(item),
                items: Builder::new(item.data_type()),
                lengths: Vec::new(),
                valid: Vec::new(),
            })),
            _ => Builder::Text(StringBuilder::new()),
        }
    }

    /// Appends a value of the inferred type. Any other value becomes null: the file must have
    /// changed in the meantime.
    fn push(&mut self, value: Value<'_>) {
        match (self, value) {
            (Builder::Bool(b), Value::Bool(value)) => b.append_value(value),
            (Builder::Integer(b), Value::Integer(value)) => b.append_value(value),
            (Builder::Float(b), Value::Float(value)) => b.append_value(value),
            (Builder::Float(b), Value::Integer(value)) => b.append_value(value as f64),
            (Builder::Text(b), Value::Text(value)) => b.append_value(value),
            (Builder::List(b), Value::List(values)) => b.push(Some(values)),
            (Builder::Null(count), _) => *count += 1,
            (Builder::Bool(b), _) => b.append_null(),
            (Builder::Integer(b), _) => b.append_null(),
            (Builder::Float(b), _) => b.append_null(),
            (Builder::Text(b), _) => b.append_null(),
            (Builder::List(b), _) => b.push(None),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Builder::Null(count) => Arc::new(NullArray::new(count)),
            Builder::Bool(mut b) => Arc::new(b.finish()),
            Builder::Integer(mut b) => Arc::new(b.finish()),
            Builder::Float(mut b) => Arc::new(b.finish()),
            Builder::Text(mut b) => Arc::new(b.finish()),
            Builder::List(b) => Arc::new(ListArray::new(
                b.item,
                OffsetBuffer::from_lengths(b.lengths),
                b.items.finish(),
                Some(NullBuffer::from(b.valid)),
            )),
        }
    }
}

impl ListColumn {
    fn push(&mut self, values: Option<Vec<Value<'_>>>) {
        self.valid.push(values.is_some());
        let values = values.unwrap_or_default();
        self.lengths.push(values.len());
        values.into_iter().for_each(|value| self.items.push(value));
    }
}
