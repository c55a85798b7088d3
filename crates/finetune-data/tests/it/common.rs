//! What the tests share: files, fixtures, and the steps of a training run.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use finetune_data::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use finetune_data::arrow::datatypes::Schema;
use finetune_data::{
    Columns, Dataset, Error, Result, Split, Task, TextTokenizer, TokenizeOptions, TokenizedDataset,
    infer_task, write_parquet,
};
use serde_json::Value;
use tempfile::TempDir;

/// Creates a folder with these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

pub fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// Writes a single file and opens it as the split `train`.
pub fn open(name: &str, content: &str) -> (TempDir, Result<Split>) {
    let folder = folder(&[(name, content)]);
    let split = Dataset::open(path(&folder, name)).and_then(|dataset| dataset.split("train"));
    (folder, split)
}

pub fn record_batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .unwrap()
}

/// A schema of `text` and an integer `label`, with class names if given.
pub fn parquet(path: &Path, texts: &[&str], labels: &[Option<i64>], classes: &[&str]) {
    let batch = record_batch(vec![
        ("text", Arc::new(StringArray::from(texts.to_vec()))),
        ("label", Arc::new(Int64Array::from(labels.to_vec()))),
    ]);
    let classes: Vec<_> = classes.iter().map(|c| (*c).to_owned()).collect();
    let classes = if classes.is_empty() {
        vec![]
    } else {
        vec![("label".to_owned(), classes)]
    };
    let schema: Arc<Schema> = batch.schema();
    write_parquet(path, &schema, &classes, [Ok(batch)]).unwrap();
}

/// The committed fixture: a reduced MiniLM tokenizer and what Python made with it.
pub fn fixture() -> &'static Value {
    static FIXTURE: OnceLock<Value> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenization.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    })
}

pub fn tokenizer() -> TextTokenizer {
    let json = serde_json::to_vec(&fixture()["tokenizer"]).unwrap();
    TextTokenizer::from_bytes(&json).unwrap()
}

pub fn build(
    split: &Split,
    labels: Option<&Task>,
    max_length: usize,
    cache_dir: Option<&Path>,
) -> Result<TokenizedDataset> {
    let columns = Columns::resolve(split, &[], &[], labels.is_some())?;
    let options = TokenizeOptions {
        max_length,
        cache_dir,
    };
    let keep_going = |_, _| ControlFlow::Continue(());
    TokenizedDataset::build(split, &columns, labels, &tokenizer(), &options, keep_going)
}

pub fn regression(names: &[&str]) -> Task {
    Task::Regression(names.iter().map(|n| (*n).to_owned()).collect())
}

/// Does everything that a training run does with data: open, resolve, infer and tokenize.
pub fn everything(split: Result<Split>) -> Result<TokenizedDataset> {
    let split = split?;
    let columns = Columns::resolve(&split, &[], &[], true)?;
    let labels = infer_task(&[&split], &columns, None, None)?;
    build(&split, Some(&labels), 32, None)
}

#[track_caller]
pub fn message<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
pub fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

/// The texts of all rows.
pub fn texts(split: &Split) -> Vec<String> {
    let columns = Columns::resolve(split, &[], &[], false).unwrap();
    split
        .texts(&columns)
        .unwrap()
        .map(|row| row.unwrap().first)
        .collect()
}

/// The path of a data set beside the workspace, or `None` with a printed reason.
pub fn shared(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap();
    let path = root.join("../shared/datasets").join(name);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no data set at {}", path.display());
    None
}
