//! Labelled sentences in the words of the tiny models, in every file format.

use std::{fs, path::Path, sync::Arc};

use finetune_data::{
    arrow::{
        array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray},
        datatypes::Schema,
    },
    write_parquet,
};
use serde_json::json;

use crate::command::Scratch;

pub const CLASSES: [&str; 2] = ["negative", "positive"];

const SUBJECTS: [&str; 5] = ["film", "movie", "story", "plot", "acting"];
const ADJECTIVES: [[&str; 5]; 2] = [
    ["bad", "boring", "dull", "cold", "slow"],
    ["good", "great", "fun", "bright", "warm"],
];
const FRAMES: [&str; 4] = [
    "the {subject} was {adjective} .",
    "this is a very {adjective} {subject} !",
    "{adjective} {subject} with a plot",
    "it is of the {subject} , and it was {adjective}",
];

/// A sentence and the index of its class.
pub type Example = (String, usize);

/// `count` sentences, every other one positive; an adjective gives the class away. All 200 possible
/// ones come in turn, well mixed.
pub fn examples(count: usize) -> Vec<Example> {
    let example = |number: usize| {
        let mixed = number * 77 % 200; // 77 and 200 have no common factor
        let class = mixed % 2;
        let adjective = ADJECTIVES[class][mixed / 2 % 5];
        let subject = SUBJECTS[mixed / 10 % 5];
        let text = FRAMES[mixed / 50].replace("{subject}", subject);
        (text.replace("{adjective}", adjective), class)
    };
    (0..count).map(example).collect()
}

/// `data/train`, `validation` and `test`, 160, 20 and 20 rows, with this extension.
pub fn splits(scratch: &Scratch, extension: &str) {
    let all = examples(200);
    fs::create_dir(scratch.path("data")).unwrap();
    for (name, rows) in [
        ("train", &all[..160]),
        ("validation", &all[160..180]),
        ("test", &all[180..]),
    ] {
        write(&scratch.path(&format!("data/{name}.{extension}")), rows);
    }
}

/// One file in the format of its extension. CSV and JSON lines have the labels as names, Parquet
/// has them as numbers, with the names in its metadata.
pub fn write(path: &Path, rows: &[Example]) {
    match path.extension().unwrap().to_str().unwrap() {
        "csv" => fs::write(path, csv(rows)).unwrap(),
        "jsonl" => {
            let line = |(text, class): &Example| {
                json!({"text": text, "label": CLASSES[*class]}).to_string()
            };
            let lines: Vec<_> = rows.iter().map(line).collect();
            fs::write(path, lines.join("\n")).unwrap();
        }
        "parquet" => {
            let texts = rows.iter().map(|(text, _)| Some(text.as_str()));
            let labels = rows.iter().map(|(_, class)| *class as i64);
            let labels = Arc::new(Int64Array::from_iter_values(labels));
            parquet(path, texts.collect(), labels, &CLASSES);
        }
        other => panic!("no writer for {other}"),
    }
}

/// The text of a CSV file.
pub fn csv(rows: &[Example]) -> String {
    let line = |(text, class): &Example| format!("\"{text}\",{}\n", CLASSES[*class]);
    rows.iter()
        .map(line)
        .fold("text,label\n".into(), |all, line| all + &line)
}

/// A Parquet file with the columns `text` and `label`.
pub fn parquet(path: &Path, texts: Vec<Option<&str>>, labels: ArrayRef, classes: &[&str]) {
    let texts: ArrayRef = Arc::new(StringArray::from(texts));
    let columns = [("text", texts, true), ("label", labels, true)];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let classes: Vec<_> = classes.iter().map(|name| name.to_string()).collect();
    let features = match classes.is_empty() {
        true => vec![],
        false => vec![("label".to_string(), classes)],
    };
    let schema: Arc<Schema> = batch.schema();
    write_parquet(path, &schema, &features, [Ok(batch)]).unwrap();
}

/// Floating-point labels.
pub fn floats(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}
