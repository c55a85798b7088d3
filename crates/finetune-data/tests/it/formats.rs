//! The same rows in every format give the same tokens and labels.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use finetune_data::arrow::array::{
    DictionaryArray, Int64Array, LargeStringArray, StringArray, StringViewArray,
};
use finetune_data::arrow::datatypes::Int32Type;
use finetune_data::arrow::ipc::writer::{FileWriter, StreamWriter};
use finetune_data::{Dataset, Labels, PackedBatch, Split, text_lines};

use crate::common::{build, everything, folder, parquet, path, record_batch, regression, texts};

const TEXTS: [&str; 5] = ["not bad at all", "", "a, \"b\"\nc", "hello world", "é"];
const LABELS: [i64; 5] = [1, 0, 0, 1, 1];

fn tokens(path: String) -> PackedBatch {
    let split = Dataset::open(path).unwrap().split("train").unwrap();
    assert_eq!(split.len(), 5);
    let data = everything(Ok(split)).unwrap();
    assert_eq!(data.class_counts(), Some(vec![2, 3]));
    data.batch(&[0, 1, 2, 3, 4]).unwrap()
}

#[test]
fn all_formats_agree() {
    let quoted: Vec<_> = TEXTS
        .iter()
        .map(|t| format!("\"{}\"", t.replace('"', "\"\"")))
        .collect();
    let mut csv = "\u{feff}id,text,label\r\n".to_owned();
    let mut tsv = "label\ttext\n".to_owned();
    let mut jsonl = String::new();
    for i in 0..5 {
        csv += &format!("{i},{},{}\r\n", quoted[i], LABELS[i]);
        tsv += &format!("{}\t{}\n", LABELS[i], quoted[i]);
        let json = serde_json::json!({"meta": {"a": [1]}, "text": TEXTS[i], "label": LABELS[i]});
        jsonl += &format!("{json}\n\n");
    }
    let folder = folder(&[("a.csv", &csv), ("b.tsv", &tsv), ("c.jsonl", &jsonl)]);
    parquet(
        &folder.path().join("d.parquet"),
        &TEXTS,
        &LABELS.map(Some),
        &[],
    );

    let labels = Arc::new(Int64Array::from(LABELS.to_vec()));
    let plain = Arc::new(StringArray::from(TEXTS.to_vec()));
    let large = Arc::new(LargeStringArray::from(TEXTS.to_vec()));
    let view = Arc::new(StringViewArray::from(TEXTS.to_vec()));
    let dictionary: Arc<DictionaryArray<Int32Type>> = Arc::new(TEXTS.into_iter().collect());
    let ipc = |name: &str, text| {
        let batch = record_batch(vec![("label", labels.clone()), ("text", text)]);
        let file = File::create(folder.path().join(name)).unwrap();
        if name.ends_with(".arrow") {
            let mut writer = StreamWriter::try_new(file, &batch.schema()).unwrap();
            writer.write(&batch.slice(0, 2)).unwrap();
            writer.write(&batch.slice(2, 3)).unwrap();
            writer.finish().unwrap();
        } else {
            let mut writer = FileWriter::try_new(file, &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        }
    };
    ipc("e.arrow", plain.clone());
    ipc("f.feather", large);
    ipc("g.ipc", view);
    ipc("h.arrow", dictionary);

    let expected = tokens(path(&folder, "d.parquet"));
    assert_eq!(expected.num_tokens(), expected.tokens.offsets.num_tokens());
    assert_eq!(expected.tokens.offsets.batch_size(), 5);
    for name in [
        "a.csv",
        "b.tsv",
        "c.jsonl",
        "e.arrow",
        "f.feather",
        "g.ipc",
        "h.arrow",
    ] {
        assert_eq!(tokens(path(&folder, name)), expected, "{name}");
    }
}

#[test]
fn text_files_and_lines() {
    let folder = folder(&[("x.txt", "one\r\n\ntwo")]);
    let split = Dataset::open(path(&folder, "x.txt"))
        .unwrap()
        .split("train")
        .unwrap();
    assert_eq!(texts(&split), ["one", "", "two"]);
    let rows: Vec<_> = text_lines(&b"one\r\n\ntwo"[..], "standard input")
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        rows.iter().map(|r| r.first.as_str()).collect::<Vec<_>>(),
        ["one", "", "two"]
    );
    assert_eq!(rows[2].place.line, Some(3));
    let bad = text_lines(&b"ok\n\xff\n"[..], "standard input")
        .nth(1)
        .unwrap()
        .unwrap_err();
    assert!(
        bad.to_string()
            .starts_with("standard input, row 1 (line 2)"),
        "{bad}"
    );
}

/// With row groups and batches of many sizes, every slice returns the right rows.
#[test]
fn ranges_in_long_files() {
    let folder = folder(&[]);
    let rows: Vec<String> = (0..5000).map(|i| format!("row {i}")).collect();
    let array = Arc::new(StringArray::from_iter_values(&rows));
    let batch = record_batch(vec![("text", array)]);
    let file = |name: &str| File::create(folder.path().join(name)).unwrap();
    let properties = parquet_properties(700);
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file("a.parquet"), batch.schema(), Some(properties))
            .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mut writer = FileWriter::try_new(file("a.ipc"), &batch.schema()).unwrap();
    for start in [0, 3000] {
        writer
            .write(&batch.slice(start, if start == 0 { 3000 } else { 2000 }))
            .unwrap();
    }
    writer.finish().unwrap();
    let mut csv = file("a.csv");
    let mut jsonl = file("a.jsonl");
    let mut txt = file("a.txt");
    writeln!(csv, "text").unwrap();
    for row in &rows {
        writeln!(csv, "{row}").unwrap();
        writeln!(jsonl, "{{\"text\":\"{row}\"}}").unwrap();
        writeln!(txt, "{row}").unwrap();
    }
    for name in ["a.parquet", "a.ipc", "a.csv", "a.jsonl", "a.txt"] {
        let dataset = Dataset::open(path(&folder, name)).unwrap();
        for range in [
            0..5000,
            0..1,
            4999..5000,
            699..701,
            700..1400,
            1023..1025,
            2500..4100,
        ] {
            let expression = format!("train[{}:{}]", range.start, range.end);
            let split = dataset.split(&expression).unwrap();
            assert_eq!(texts(&split), rows[range.clone()], "{name} {range:?}");
            assert_eq!(
                source_rows(&split),
                range.map(|r| r as u64).collect::<Vec<_>>(),
                "{name}"
            );
        }
        let split = dataset
            .split("train[100:4900]")
            .unwrap()
            .shuffle_take(7, 50)
            .unwrap();
        let expected: Vec<_> = source_rows(&split)
            .iter()
            .map(|&row| rows[row as usize].clone())
            .collect();
        assert_eq!(texts(&split), expected, "{name}");
        assert_eq!(split.len(), 50);
    }
}

fn parquet_properties(rows: usize) -> parquet::file::properties::WriterProperties {
    let builder = parquet::file::properties::WriterProperties::builder();
    builder.set_max_row_group_row_count(Some(rows)).build()
}

fn source_rows(split: &Split) -> Vec<u64> {
    let batches = split.read(&["text"]).unwrap();
    let rows = batches.flat_map(|rows| {
        let rows = rows.unwrap();
        (0..rows.batch.num_rows())
            .map(|i| rows.place(i).unwrap().row)
            .collect::<Vec<_>>()
    });
    rows.collect()
}

#[test]
fn jsonl_types() {
    let lines = "{\"text\":\"a\",\"label\":1}\n{\"label\":2.5,\"text\":\"b\",\"x\":[1]}\n{\"text\":\"c\",\"label\":null,\"y\":\"1\"}\n{\"text\":\"d\",\"y\":2}\n";
    let folder = folder(&[("a.jsonl", lines)]);
    let split = Dataset::open(path(&folder, "a.jsonl"))
        .unwrap()
        .split("train[:2]")
        .unwrap();
    let data = build(&split, Some(&regression(&["label"])), 8, None).unwrap();
    assert_eq!(
        data.labels(&[1]).unwrap(),
        Labels::Values {
            width: 1,
            values: vec![2.5]
        }
    );
    // Mixed columns are left out; requesting one says why.
    let batch = split.batches().unwrap().next().unwrap().unwrap();
    assert_eq!(batch.num_columns(), 3);
    let error = split
        .read(&["y"])
        .unwrap()
        .next()
        .unwrap()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line 4 has a value of type integer"),
        "{error}"
    );
}
