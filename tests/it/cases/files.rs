//! Small versions of the case files: sample sentences in the form of each folder.

use std::{fs::File, io::Write as _, path::Path, sync::Arc};

use finetune_data::arrow::{
    array::{
        ArrayRef, BinaryArray, Decimal128Array, Float64Array, Int64Array, Int64Builder,
        ListBuilder, RecordBatch, StringArray,
    },
    ipc::{
        CompressionType,
        writer::{IpcWriteOptions, StreamWriter},
    },
};
use parquet::{
    arrow::ArrowWriter,
    basic::{BrotliLevel, Compression},
    file::properties::WriterProperties,
};
use serde_json::{Value, json};

use crate::samples::{self, CLASSES, Example};

pub fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), content).unwrap();
}

pub fn lines(rows: &[Example], line: impl Fn(&str, usize) -> String) -> String {
    rows.iter()
        .map(|(text, class)| line(text, *class))
        .collect()
}

/// Texts without commas, so that they need no quotes.
pub fn bare(rows: &[Example], delimiter: char, end: &str) -> String {
    let row = |text: &str, class: usize| {
        format!(
            "{}{delimiter}{}{end}",
            text.replace(',', ""),
            CLASSES[class]
        )
    };
    format!("text{delimiter}label{end}{}", lines(rows, row))
}

pub fn clean(folder: &Path, rows: &[Example]) {
    write(folder, "train.csv", samples::csv(rows));
    write(folder, "validation.csv", samples::csv(&rows[..40]));
}

pub fn semicolon(folder: &Path, rows: &[Example]) {
    let row = |text: &str, class| format!("{text};{}\n", CLASSES[class]);
    write(
        folder,
        "train.csv",
        format!("text;label\n{}", lines(rows, row)),
    );
}

pub fn comment(folder: &Path, rows: &[Example]) {
    write(
        folder,
        "train.csv",
        format!("# exported 2024\n{}", samples::csv(rows)),
    );
}

pub fn carriage_returns(folder: &Path, rows: &[Example]) {
    write(folder, "train.csv", bare(rows, ',', "\r"));
}

pub fn utf16(folder: &Path, rows: &[Example]) {
    let text = format!("\u{feff}{}", bare(rows, '\t', "\n"));
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    write(folder, "train.csv", bytes);
}

/// A quote opens in row 10 and closes in row 13.
fn quoted_over_lines(rows: &[Example], delimiter: char) -> String {
    let text = bare(rows, delimiter, "\n");
    let mut all: Vec<_> = text.lines().map(str::to_owned).collect();
    all[11].insert(0, '"');
    all[14] = all[14].replace(delimiter, &format!("\"{delimiter}"));
    all.join("\n")
}

pub fn stray_quotes(folder: &Path, rows: &[Example]) {
    write(folder, "train.csv", quoted_over_lines(rows, ','));
}

pub fn stray_quotes_in_tabs(folder: &Path, rows: &[Example]) {
    write(folder, "train.tsv", quoted_over_lines(rows, '\t'));
}

pub fn gzip(folder: &Path, rows: &[Example]) {
    let file = File::create(folder.join("train.csv.gz")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    encoder.write_all(samples::csv(rows).as_bytes()).unwrap();
    encoder.finish().unwrap();
}

pub fn json_array(folder: &Path, rows: &[Example]) {
    let objects = rows
        .iter()
        .map(|(text, class)| json!({"text": text, "label": class}));
    write(
        folder,
        "train.json",
        json!(objects.collect::<Vec<_>>()).to_string(),
    );
}

pub fn pandas_columns(folder: &Path, rows: &[Example]) {
    let mut columns = json!({"text": {}, "label": {}});
    for (index, (text, class)) in rows.iter().enumerate() {
        columns["text"][index.to_string()] = json!(text);
        columns["label"][index.to_string()] = json!(class);
    }
    write(folder, "train.json", columns.to_string());
}

pub fn json_lines(rows: &[Example], end: &str) -> String {
    let row = |text: &str, class| format!("{}{end}\n", json!({"text": text, "label": class}));
    lines(rows, row)
}

pub fn nan_score(folder: &Path, rows: &[Example]) {
    let text = json_lines(rows, "");
    let mut all: Vec<_> = text.lines().map(str::to_owned).collect();
    let class = rows[30].1;
    all[30] = all[30].replace(&format!("\"label\":{class}"), "\"label\": NaN");
    write(folder, "train.jsonl", all.join("\n"));
}

pub fn trailing_comma(folder: &Path, rows: &[Example]) {
    write(folder, "train.jsonl", json_lines(rows, ","));
}

pub fn mnli(folder: &Path, rows: &[Example]) {
    let row = |text: &str, class| {
        let reversed: String = text.chars().rev().collect();
        format!("\"{text}\",\"{reversed}\",{class}\n")
    };
    let text = format!("premise,hypothesis,label\n{}", lines(rows, row));
    for name in ["train", "validation_matched", "validation_mismatched"] {
        write(folder, &format!("{name}.csv"), &text);
    }
}

pub fn spark(folder: &Path, rows: &[Example]) {
    write(folder, "_SUCCESS", "");
    let (first, second) = rows.split_at(32);
    write(folder, "part-00000-6f1c2a7e-c000.csv", samples::csv(first));
    write(folder, "part-00001-6f1c2a7e-c000.csv", samples::csv(second));
}

pub fn fasttext(folder: &Path, rows: &[Example]) {
    let row = |text: &str, class| format!("__label__{} {text}\n", CLASSES[class]);
    write(folder, "train.txt", lines(rows, row));
}

fn batch(rows: &[Example]) -> RecordBatch {
    let texts = rows.iter().map(|(text, _)| text);
    let classes = rows.iter().map(|(_, class)| CLASSES[*class]);
    let columns: [(&str, ArrayRef); 2] = [
        ("text", Arc::new(StringArray::from_iter_values(texts))),
        ("label", Arc::new(StringArray::from_iter_values(classes))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

pub fn brotli(folder: &Path, rows: &[Example]) {
    let codec = Compression::BROTLI(BrotliLevel::default());
    write_batch(folder, &batch(rows), codec);
}

/// Arrow streams whose numbers were changed: the length of a compressed buffer, the rows of a batch.
pub fn hostile(folder: &Path, rows: &[Example]) {
    let stream = |batch: RecordBatch, compression| {
        let options = IpcWriteOptions::default()
            .try_with_compression(compression)
            .unwrap();
        let mut writer =
            StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        writer.into_inner().unwrap()
    };
    let mut bytes = stream(batch(rows), Some(CompressionType::LZ4_FRAME));
    let magic = [0x04, 0x22, 0x4d, 0x18];
    let frame = bytes.windows(4).position(|found| found == magic).unwrap();
    bytes[frame - 8..frame].copy_from_slice(&(1u64 << 48).to_le_bytes());
    write(folder, "compressed_length.arrow", bytes);
    let label: ArrayRef = Arc::new(Int64Array::from(vec![7; 61]));
    let good = stream(
        RecordBatch::try_from_iter([("label", label)]).unwrap(),
        None,
    );
    for (name, claimed) in [("hfrows_1e9", 1_000_000_000), ("hfrows_2p50", 1u64 << 50)] {
        let mut bytes = good.clone();
        let length = |bytes: &[u8]| {
            bytes
                .windows(8)
                .position(|found| found == 61u64.to_le_bytes())
        };
        while let Some(at) = length(&bytes) {
            bytes[at..at + 8].copy_from_slice(&claimed.to_le_bytes());
        }
        write(folder, &format!("{name}.arrow"), bytes);
    }
}

fn write_batch(folder: &Path, batch: &RecordBatch, codec: Compression) {
    let properties = WriterProperties::builder().set_compression(codec).build();
    let file = File::create(folder.join("train.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// `train.csv`, its labels as `label` writes them: of row and class.
pub fn labelled(folder: &Path, rows: &[Example], label: impl Fn(usize, usize) -> String) {
    let rows = rows.iter().enumerate();
    let line =
        |(row, (text, class)): (usize, &Example)| format!("\"{text}\",{}\n", label(row, *class));
    let lines: String = rows.map(line).collect();
    write(folder, "train.csv", format!("text,label\n{lines}"));
}

/// `train.jsonl`, its labels under `key`: of row and class.
pub fn objects(folder: &Path, rows: &[Example], key: &str, label: impl Fn(usize, usize) -> Value) {
    let rows = rows.iter().enumerate();
    let line = |(row, (text, class)): (usize, &Example)| {
        format!("{}\n", json!({"text": text, key: label(row, *class)}))
    };
    write(folder, "train.jsonl", rows.map(line).collect::<String>());
}

/// `train.parquet` with a column `label` of any type.
pub fn column(folder: &Path, rows: &[Example], label: ArrayRef) {
    let texts = StringArray::from_iter_values(rows.iter().map(|(text, _)| text));
    let columns: [(&str, ArrayRef); 2] = [("text", Arc::new(texts)), ("label", label)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    write_batch(folder, &batch, Compression::SNAPPY);
}

/// A Parquet file whose metadata name the classes, `names[class]` for each class of the samples.
pub fn named(folder: &Path, file: &str, rows: &[Example], order: [usize; 2], names: &[&str]) {
    let texts = rows.iter().map(|(text, _)| Some(text.as_str())).collect();
    let labels = rows.iter().map(|(_, class)| order[*class] as i64);
    let labels = Arc::new(Int64Array::from_iter_values(labels));
    samples::parquet(&folder.join(file), texts, labels, names);
}

const TRAIN: &str = "train.parquet";
const REVERSED: [&str; 2] = [CLASSES[1], CLASSES[0]];

pub fn class_label(folder: &Path, rows: &[Example]) {
    named(folder, TRAIN, rows, [0, 1], &CLASSES);
}

pub fn class_label_reversed(folder: &Path, rows: &[Example]) {
    named(folder, TRAIN, rows, [1, 0], &REVERSED);
}

pub fn class_label_upper_reversed(folder: &Path, rows: &[Example]) {
    named(folder, TRAIN, rows, [1, 0], &["POSITIVE", "NEGATIVE"]);
}

pub fn class_label_unused(folder: &Path, rows: &[Example]) {
    named(folder, TRAIN, rows, [0, 1], &["neg", "pos", "unused"]);
}

pub fn class_label_shards(folder: &Path, rows: &[Example]) {
    let (first, second) = rows.split_at(32);
    named(
        folder,
        "train-00000-of-00002.parquet",
        first,
        [0, 1],
        &CLASSES,
    );
    named(
        folder,
        "train-00001-of-00002.parquet",
        second,
        [1, 0],
        &REVERSED,
    );
}

pub fn csv_and_parquet(folder: &Path, rows: &[Example]) {
    write(folder, "train.csv", samples::csv(rows));
    named(folder, "validation.parquet", rows, [1, 0], &REVERSED);
}

pub fn glue(folder: &Path, rows: &[Example]) {
    named(folder, TRAIN, rows, [0, 1], &CLASSES);
    named(folder, "validation.parquet", rows, [0, 1], &CLASSES);
    let texts = rows.iter().map(|(text, _)| Some(text.as_str())).collect();
    let hidden = Arc::new(Int64Array::from(vec![-1; rows.len()]));
    samples::parquet(&folder.join("test.parquet"), texts, hidden, &CLASSES);
}

/// All of one class first.
pub fn sorted(folder: &Path, rows: &[Example]) {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|(_, class)| *class);
    class_label(folder, &rows);
}

pub fn one_hot(folder: &Path, rows: &[Example]) {
    objects(folder, rows, "labels", |_, class| json!([1 - class, class]));
}

pub fn one_hot_parquet(folder: &Path, rows: &[Example]) {
    let mut lists = ListBuilder::new(Int64Builder::new());
    for (_, class) in rows {
        lists.append_value([Some(1 - *class as i64), Some(*class as i64)]);
    }
    column(folder, rows, Arc::new(lists.finish()));
}

pub fn multi_hot_floats(folder: &Path, rows: &[Example]) {
    let mark = |has: bool| if has { 1.0 } else { 0.0 };
    objects(folder, rows, "labels", |row, class| {
        json!([mark(row % 4 == 0), mark(class == 1), mark(row % 3 == 0)])
    });
}

fn toxic_columns(folder: &Path, rows: &[Example], header: &str, end: &str) {
    let rows = rows.iter().enumerate();
    let line = |(row, (text, class)): (usize, &Example)| {
        format!(
            "{row},\"{text}\",{class}{end},{}{end}\n",
            u8::from(row % 3 == 0)
        )
    };
    let lines: String = rows.map(line).collect();
    write(folder, "train.csv", format!("{header}\n{lines}"));
}

pub fn toxic(folder: &Path, rows: &[Example]) {
    toxic_columns(folder, rows, "id,comment_text,toxic,insult", "");
}

pub fn toxic_floats(folder: &Path, rows: &[Example]) {
    toxic_columns(folder, rows, "id,text,toxic,insult", ".0");
}

pub fn float_classes(folder: &Path, rows: &[Example]) {
    let labels = rows.iter().map(|(_, class)| *class as f64);
    column(
        folder,
        rows,
        Arc::new(Float64Array::from_iter_values(labels)),
    );
}

pub fn three_float_classes(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, _| format!("{}.0", row % 3));
}

pub fn one_float_json(folder: &Path, rows: &[Example]) {
    objects(folder, rows, "label", |row, class| match row {
        9 => json!(1.0),
        _ => json!(class),
    });
}

pub fn one_float(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, class| match row {
        9 => "1.0".into(),
        _ => class.to_string(),
    });
}

pub fn scores_with_na(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, _| match row {
        9 => "NA".into(),
        _ => format!("{}.0", row % 6),
    });
}

pub fn integers_with_na(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, class| match row {
        9 => "NA".into(),
        _ => class.to_string(),
    });
}

pub fn from_one(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |_, class| (class + 1).to_string());
}

pub fn unseen_class(folder: &Path, rows: &[Example]) {
    write(folder, "train.csv", samples::csv(rows));
    let validation = samples::csv(rows).replacen(",positive\n", ",neutral\n", 1);
    write(folder, "validation.csv", validation);
}

/// 4,000 rows, three of them of a class that a draw would miss.
pub fn rare_class(folder: &Path, _: &[Example]) {
    let mut lines: Vec<_> = samples::csv(&samples::examples(4000))
        .lines()
        .map(str::to_owned)
        .collect();
    for line in [1235, 2346, 3457] {
        let text = lines[line].rsplit_once(',').unwrap().0.to_owned();
        lines[line] = text + ",rare";
    }
    write(folder, "data.csv", lines.join("\n"));
}

pub fn empty_label(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, class| match row {
        5 => "\"\"".into(),
        _ => format!("\"{}\"", CLASSES[class]),
    });
}

pub fn two_texts(folder: &Path, rows: &[Example]) {
    let row = |text: &str, class| format!("zzz same text,\"{text}\",{}\n", CLASSES[class]);
    write(
        folder,
        "train.csv",
        format!("text,clean,label\n{}", lines(rows, row)),
    );
}

pub fn signs(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |_, class| (2 * class as i64 - 1).to_string());
}

pub fn three_signs(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, _| (row as i64 % 3 - 1).to_string());
}

pub fn label_variants(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, class| match (row % 4, class) {
        (2 | 3, 0) => "negative ".into(),
        (0 | 1, 1) => "Positive".into(),
        _ => CLASSES[class].into(),
    });
}

pub fn leading_blanks(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |_, class| format!(" {}", CLASSES[class]));
}

pub fn no_break_spaces(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, class| match row % 5 {
        0 => format!("{}\u{a0}", CLASSES[class]),
        _ => CLASSES[class].into(),
    });
}

pub fn several_in_a_cell(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, _| {
        ["joy", "anger;joy", "anger"][row % 3].into()
    });
}

pub fn all_different(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, _| format!("free text label {row}"));
}

pub fn decimals(folder: &Path, rows: &[Example]) {
    let tenths = Decimal128Array::from_iter_values((0..rows.len()).map(|row| row as i128));
    let tenths = tenths.with_precision_and_scale(5, 1).unwrap();
    column(folder, rows, Arc::new(tenths));
}

pub fn binary_text(folder: &Path, rows: &[Example]) {
    let texts = BinaryArray::from_iter_values(rows.iter().map(|(text, _)| text.as_bytes()));
    let labels = rows.iter().map(|(_, class)| *class as i64);
    let columns: [(&str, ArrayRef); 2] = [
        ("text", Arc::new(texts)),
        ("label", Arc::new(Int64Array::from_iter_values(labels))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    write_batch(folder, &batch, Compression::SNAPPY);
}

pub fn null_text(folder: &Path, _: &[Example]) {
    write(folder, "rows.csv", "id,text\n1,good film\n2,\n3,bad film\n");
    let objects = [json!("good film"), Value::Null, json!("bad film")];
    let line = |text| format!("{}\n", json!({"text": text}));
    write(folder, "rows.jsonl", objects.map(line).concat());
}

pub fn one_text_for_a_pair(folder: &Path, _: &[Example]) {
    write(folder, "rows.csv", "text\ngood film\nbad film\n");
}

pub fn sts(folder: &Path, rows: &[Example]) {
    let rows = rows.iter().enumerate();
    let line = |(row, (text, _)): (usize, &Example)| {
        let reversed: String = text.chars().rev().collect();
        format!("\"{text}\",\"{reversed}\",{}\n", row as f64 * 0.08)
    };
    let lines: String = rows.map(line).collect();
    write(
        folder,
        "train.csv",
        format!("sentence1,sentence2,score\n{lines}"),
    );
}
