//! Writes rows as Parquet with class names that the `datasets` library reads, or as CSV or JSON
//! lines.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use finetune_files::replace_file;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::split::Example;

/// File formats of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Labels as integers, class names in the `huggingface` schema metadata.
    Parquet,
    /// Labels as class names.
    Csv,
    /// Labels as class names, one object per line.
    JsonLines,
}

impl Format {
    /// Returns the file extension without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }
}

/// Encodes the rows as a file. Its columns are `text`, `label`, and `rating` if rows have one.
///
/// # Errors
/// Fails if a label has no class name or the writer fails.
pub fn encode(rows: &[Example], classes: &[String], format: Format) -> Result<Vec<u8>> {
    match format {
        Format::Parquet => parquet_bytes(rows, classes),
        Format::Csv => csv_bytes(rows, classes),
        Format::JsonLines => json_lines(rows, classes),
    }
}

/// Writes a file, and its folder if that is missing, so that readers see the old content or the new
/// one, never a part of it.
///
/// # Errors
/// Fails if the folder or file cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    Ok(replace_file(path, |file| file.write_all(bytes))?)
}

fn has_rating(rows: &[Example]) -> bool {
    rows.iter().any(|row| row.rating.is_some())
}

fn class_name(label: i64, classes: &[String]) -> Result<&str> {
    usize::try_from(label)
        .ok()
        .and_then(|index| classes.get(index))
        .map(String::as_str)
        .with_context(|| format!("the label {label} is not one of the classes {classes:?}"))
}

/// Returns the schema metadata exactly as the `datasets` library writes it.
fn huggingface(classes: &[String], rating: bool) -> Result<String> {
    let names: Vec<String> = classes
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    let rating = if rating {
        r#", "rating": {"dtype": "float32", "_type": "Value"}"#
    } else {
        ""
    };
    Ok(format!(
        r#"{{"info": {{"features": {{"text": {{"dtype": "string", "_type": "Value"}}, "label": {{"names": [{}], "_type": "ClassLabel"}}{rating}}}}}}}"#,
        names.join(", ")
    ))
}

fn parquet_bytes(rows: &[Example], classes: &[String]) -> Result<Vec<u8>> {
    for row in rows {
        class_name(row.label, classes)?;
    }
    let rating = has_rating(rows);
    let mut fields = vec![
        Field::new("text", DataType::Utf8, true),
        Field::new("label", DataType::Int64, true),
    ];
    let texts = rows.iter().map(|row| row.text.as_str());
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(texts)),
        Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|row| row.label),
        )),
    ];
    if rating {
        fields.push(Field::new("rating", DataType::Float32, true));
        columns.push(Arc::new(Float32Array::from_iter(
            rows.iter().map(|row| row.rating),
        )));
    }
    let metadata = huggingface(classes, rating)?;
    let entry = HashMap::from([("huggingface".to_owned(), metadata.clone())]);
    let schema = Arc::new(Schema::new(fields).with_metadata(entry));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    // The entry is written twice, as pyarrow does: inside the Arrow schema, and for readers that
    // only know Parquet's own key-value metadata.
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "huggingface".to_owned(),
            metadata,
        )]))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

fn csv_bytes(rows: &[Example], classes: &[String]) -> Result<Vec<u8>> {
    let rating = has_rating(rows);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header = vec!["text", "label"];
    header.extend(rating.then_some("rating"));
    writer.write_record(header)?;
    for row in rows {
        let mut record = vec![row.text.clone(), class_name(row.label, classes)?.to_owned()];
        if rating {
            record.push(
                row.rating
                    .map(|rating| rating.to_string())
                    .unwrap_or_default(),
            );
        }
        writer.write_record(record)?;
    }
    Ok(writer.into_inner()?)
}

fn json_lines(rows: &[Example], classes: &[String]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for row in rows {
        let mut object = serde_json::Map::new();
        object.insert("text".to_owned(), row.text.as_str().into());
        object.insert("label".to_owned(), class_name(row.label, classes)?.into());
        if let Some(rating) = row.rating {
            object.insert("rating".to_owned(), rating.into());
        }
        serde_json::to_writer(&mut bytes, &object)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn rows() -> (Vec<Example>, Vec<String>) {
        let row = |text: &str, label, rating| Example {
            text: text.to_owned(),
            label,
            rating: Some(rating),
        };
        let rows = vec![row("a \"b\", c", 0, -1.5), row("Château", 1, 2.25)];
        (rows, vec!["negative".to_owned(), "positive".to_owned()])
    }

    #[test]
    fn parquet_has_the_schema_metadata_of_the_datasets_library() {
        let (rows, classes) = rows();
        let bytes = encode(&rows, &classes, Format::Parquet).unwrap();
        assert_eq!(encode(&rows, &classes, Format::Parquet).unwrap(), bytes);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/train.parquet");
        write_atomically(&path, &bytes).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let file = fs::File::open(&path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        // Written by datasets 5.2.0 for these features.
        let expected = r#"{"info": {"features": {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["negative", "positive"], "_type": "ClassLabel"}, "rating": {"dtype": "float32", "_type": "Value"}}}}"#;
        assert_eq!(reader.schema().metadata()["huggingface"], expected);
        let batch = reader.build().unwrap().next().unwrap().unwrap();
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(batch.schema().field(2).data_type(), &DataType::Float32);
    }

    #[test]
    fn csv_and_json_lines_have_class_names() {
        let (rows, classes) = rows();
        let text = |format| String::from_utf8(encode(&rows, &classes, format).unwrap()).unwrap();
        assert_eq!(
            text(Format::Csv),
            "text,label,rating\n\"a \"\"b\"\", c\",negative,-1.5\nChâteau,positive,2.25\n"
        );
        assert_eq!(
            text(Format::JsonLines),
            "{\"text\":\"a \\\"b\\\", c\",\"label\":\"negative\",\"rating\":-1.5}\n\
             {\"text\":\"Château\",\"label\":\"positive\",\"rating\":2.25}\n"
        );
    }

    #[test]
    fn a_label_without_a_class_is_an_error() {
        let (rows, classes) = rows();
        for format in [Format::Parquet, Format::Csv, Format::JsonLines] {
            let error = encode(&rows, &classes[..1], format).unwrap_err();
            assert!(
                error.to_string().contains("the label 1 is not one of"),
                "{error}"
            );
        }
    }
}
