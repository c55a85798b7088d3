//! The `huggingface` entry of Arrow schema metadata, in which `datasets` keeps its features.

use std::sync::Arc;

use crate::arrow::datatypes::Schema;
use serde_json::{Map, Value, json};

/// Key of the entry in the schema metadata.
pub(crate) const KEY: &str = "huggingface";

/// Returns the class names of a `ClassLabel` column or of a column of lists of `ClassLabel`.
pub(crate) fn class_names(schema: &Schema, column: &str) -> Option<Vec<String>> {
    let metadata: Value = serde_json::from_str(schema.metadata().get(KEY)?).ok()?;
    let feature = item(metadata.get("info")?.get("features")?.get(column)?);
    if feature.get("_type")?.as_str()? != "ClassLabel" {
        return None;
    }
    let names = feature.get("names")?.as_array()?.iter();
    names.map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Creates an entry that declares these class names of columns; `None` if there are none.
pub(crate) fn with_class_names(class_names: &[(String, Vec<String>)]) -> Option<Arc<str>> {
    if class_names.is_empty() {
        return None;
    }
    let feature = |(column, names): &(String, Vec<String>)| {
        (
            column.clone(),
            json!({"names": names, "_type": "ClassLabel"}),
        )
    };
    let features: Map<String, Value> = class_names.iter().map(feature).collect();
    let entry = json!({"info": {"features": features}});
    Some(entry.to_string().into())
}

/// Returns the feature of the items if `feature` is a list in any of the forms that versions of
/// `datasets` write: `[item]`, `Sequence`, and since 4.0 `List` or `LargeList`.
fn item(feature: &Value) -> &Value {
    match feature {
        Value::Array(items) if items.len() == 1 => &items[0],
        Value::Object(fields) => match fields.get("_type").and_then(Value::as_str) {
            Some("Sequence" | "List" | "LargeList") => fields.get("feature").unwrap_or(feature),
            _ => feature,
        },
        _ => feature,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn names_of_every_version() {
        let label = json!({"names": ["a", "b"], "_type": "ClassLabel"});
        let found = |feature: Value| {
            let metadata = json!({"info": {"features": {"labels": feature}}}).to_string();
            let metadata = HashMap::from([(KEY.to_owned(), metadata)]);
            class_names(&Schema::empty().with_metadata(metadata), "labels")
        };
        for feature in [
            label.clone(),
            json!([label]),
            json!({"feature": label, "_type": "Sequence"}),
            json!({"feature": label, "length": -1, "_type": "Sequence"}),
            json!({"feature": label, "_type": "List"}),
            json!({"feature": label, "_type": "LargeList"}),
        ] {
            assert_eq!(found(feature), Some(vec!["a".to_owned(), "b".to_owned()]));
        }
        let value = json!({"dtype": "int64", "_type": "Value"});
        assert_eq!(found(json!({"feature": value, "_type": "List"})), None);
        assert_eq!(found(value), None);
    }
}
