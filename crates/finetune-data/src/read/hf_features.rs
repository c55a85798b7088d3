//! Writes the `huggingface` entry of Arrow schema metadata.

use crate::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use serde_json::{Value, json};

use crate::read::hf_metadata;

/// Returns the metadata that `datasets` writes for these columns, some of which have class names.
/// Features in the schema's own metadata are kept.
pub(crate) fn features(schema: &Schema, classes: &[(String, Vec<String>)]) -> String {
    let own = schema.metadata().get(hf_metadata::KEY);
    let own = own.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let own = |name: &str| {
        own.as_ref()?
            .get("info")?
            .get("features")?
            .get(name)
            .cloned()
    };
    let mut features = serde_json::Map::new();
    for field in schema.fields() {
        let names = classes.iter().find(|(column, _)| column == field.name());
        let value = match (names, own(field.name())) {
            (None, Some(own)) => own,
            (names, _) => feature(field, names.map(|(_, names)| names.as_slice())),
        };
        features.insert(field.name().clone(), value);
    }
    json!({"info": {"features": features}}).to_string()
}

/// Describes one column. `names` are the class names of a column of class indices or of lists of
/// them.
fn feature(field: &Field, names: Option<&[String]>) -> Value {
    match field.data_type() {
        DataType::List(item) => json!({"feature": feature(item, names), "_type": "List"}),
        DataType::LargeList(item) => {
            json!({"feature": feature(item, names), "_type": "LargeList"})
        }
        DataType::FixedSizeList(item, length) => {
            json!({"feature": feature(item, names), "length": length, "_type": "List"})
        }
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|f| (f.name().clone(), feature(f, None)));
            Value::Object(fields.collect())
        }
        _ if names.is_some() => json!({"names": names, "_type": "ClassLabel"}),
        other => json!({"dtype": dtype(other), "_type": "Value"}),
    }
}

fn dtype(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "string".to_owned(),
        DataType::LargeUtf8 => "large_string".to_owned(),
        DataType::Utf8View => "string_view".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::LargeBinary => "large_binary".to_owned(),
        DataType::Timestamp(unit, _) => {
            let unit = match unit {
                TimeUnit::Second => "s",
                TimeUnit::Millisecond => "ms",
                TimeUnit::Microsecond => "us",
                TimeUnit::Nanosecond => "ns",
            };
            format!("timestamp[{unit}]")
        }
        other => other.to_string().to_lowercase(),
    }
}
