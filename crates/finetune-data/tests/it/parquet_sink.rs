//! Written files open again, here and in `datasets`; unfinished files do not exist.

use std::sync::Arc;

use finetune_data::arrow::array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray};
use finetune_data::{Dataset, Error, ParquetSink, write_parquet};
use serde_json::{Value, json};

use crate::common::{folder, message, path};

fn batch() -> RecordBatch {
    let columns: [(&str, ArrayRef); 3] = [
        ("text", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("label", Arc::new(Int64Array::from(vec![0, 1]))),
        ("rating", Arc::new(Float32Array::from(vec![0.5, -1.0]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn classes() -> Vec<(String, Vec<String>)> {
    vec![(
        "label".to_owned(),
        vec!["negative".to_owned(), "positive".to_owned()],
    )]
}

#[test]
fn features_as_datasets_writes_them() {
    let folder = folder(&[]);
    let file = folder.path().join("train.parquet");
    write_parquet(
        &file,
        &batch().schema(),
        &classes(),
        [Ok(batch()), Ok(batch())],
    )
    .unwrap();
    let split = Dataset::open(path(&folder, "train.parquet"))
        .unwrap()
        .split("train")
        .unwrap();
    assert_eq!(split.len(), 4);
    let schema = split.schema();
    // `datasets` ignores the features of a column that is not nullable.
    assert!(schema.fields().iter().all(|field| field.is_nullable()));
    let metadata: Value = serde_json::from_str(&schema.metadata()["huggingface"]).unwrap();
    let expected = json!({"info": {"features": {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["negative", "positive"], "_type": "ClassLabel"},
        "rating": {"dtype": "float32", "_type": "Value"},
    }}});
    assert_eq!(metadata, expected);
    // The same rows give the same bytes.
    let again = folder.path().join("again.parquet");
    write_parquet(
        &again,
        &batch().schema(),
        &classes(),
        [Ok(batch()), Ok(batch())],
    )
    .unwrap();
    assert_eq!(std::fs::read(file).unwrap(), std::fs::read(again).unwrap());
}

#[test]
fn all_or_nothing() {
    let folder = folder(&[("old.parquet", "old")]);
    let file = folder.path().join("old.parquet");
    let mut sink = ParquetSink::create(&file, &batch().schema(), &[]).unwrap();
    sink.write(&batch()).unwrap();
    let wrong = batch().project(&[0]).unwrap();
    assert!(message(sink.write(&wrong)).contains("writing"));
    drop(sink);
    let failing = [Ok(batch()), Err(Error::Stopped)];
    assert!(matches!(
        write_parquet(&file, &batch().schema(), &[], failing),
        Err(Error::Stopped)
    ));
    assert_eq!(std::fs::read(&file).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = folder.path().join("no/such/folder.parquet");
    assert!(
        message(ParquetSink::create(nowhere, &batch().schema(), &[]).map(drop)).contains("no/such")
    );
}
