//! The `huggingface` entry of Arrow schema metadata, in which `datasets` keeps its features.

use arrow::datatypes::Schema;
use serde_json::Value;

/// Key of the schema metadata.
pub(crate) const KEY: &str = "huggingface";

/// Class names of a `ClassLabel` column.
pub(crate) fn class_names(schema: &Schema, column: &str) -> Option<Vec<String>> {
    let metadata: Value = serde_json::from_str(schema.metadata().get(KEY)?).ok()?;
    let feature = metadata.get("info")?.get("features")?.get(column)?;
    if feature.get("_type")?.as_str()? != "ClassLabel" {
        return None;
    }
    let names = feature.get("names")?.as_array()?.iter();
    names.map(|name| name.as_str().map(str::to_owned)).collect()
}
