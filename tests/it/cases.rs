//! Files as people really have them, each with what is right for it: one table, run on small files
//! made here and, where they lie beside the workspace, on the files of the same names.
//!
//! Every row of the file is trained and validated on, one step, so that the counts tell what was read.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use finetune_data::arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
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
use serde_json::json;

use crate::{
    command::{Scratch, split},
    samples::{self, CLASSES, Example},
};

/// A situation, and what is right.
struct Case {
    /// Name of the folder.
    name: &'static str,
    /// File in it that is named; empty: the folder is.
    file: &'static str,
    /// Further options.
    options: &'static str,
    make: fn(&Path, &[Example]),
    right: Right,
}

enum Right {
    /// So many rows with these classes, and a note with these words; none: no note about the data.
    Reads(u64, &'static [&'static str], &'static [&'static str]),
    /// A message with these words, exit code 2.
    Refuses(&'static [&'static str]),
}

/// In place of options: no validation split is named.
const UNNAMED: &str = "unnamed";

const NAMES: &[&str] = &CLASSES;
const INDICES: &[&str] = &["0", "1"];

const fn case(
    name: &'static str,
    options: &'static str,
    make: fn(&Path, &[Example]),
    right: Right,
) -> Case {
    Case {
        name,
        file: "",
        options,
        make,
        right,
    }
}

/// The table.
#[rustfmt::skip]
const CASES: &[Case] = &[
    case("ok", "", clean, Right::Reads(64, NAMES, &[])),
    case("csv_semicolon", "", semicolon, Right::Reads(64, NAMES, &["';'", "--csv-delimiter"])),
    case("csv_semicolon", "--csv-delimiter ;", semicolon, Right::Reads(64, NAMES, &[])),
    case("csv_comment", "", comment, Right::Reads(64, NAMES, &["#", "--csv-comment"])),
    case("csv_comment", "--csv-comment #", comment, Right::Reads(64, NAMES, &[])),
    case("csv_cr_only", "", carriage_returns, Right::Reads(64, NAMES, &["carriage returns"])),
    case("csv_utf16", "", utf16, Right::Reads(64, NAMES, &["UTF-16LE", "byte order mark"])),
    case("csv_stray_quotes", "", stray_quotes, Right::Reads(61, NAMES, &["line 12", "to line 15", "1 of 61 rows", "--csv-quoting none"])),
    case("csv_stray_quotes", "--csv-quoting none", stray_quotes, Right::Reads(64, NAMES, &[])),
    case("csv_gz", "", gzip, Right::Reads(64, NAMES, &[])),
    case("json_array", "", json_array, Right::Reads(64, INDICES, &[])),
    case("json_pandas_columns", "", pandas_columns, Right::Refuses(&["train.json", "pandas", "orient='records'"])),
    case("jl_nan_score", "", nan_score, Right::Refuses(&["train.jsonl, row 30 (line 31)", "no NaN"])),
    case("jl_trailing_comma", "", trailing_comma, Right::Refuses(&["train.jsonl, row 0 (line 1)", "comma behind the object"])),
    case("mnli_like", "--validation-split validation_mismatched", mnli, Right::Reads(64, INDICES, &[])),
    case("mnli_like", UNNAMED, mnli, Right::Reads(64, INDICES, &["validation_matched, validation_mismatched", "--validation-split"])),
    case("spark_dir", "", spark, Right::Reads(64, NAMES, &["part-00000", "1 other part"])),
    case("fasttext", "", fasttext, Right::Reads(64, NAMES, &["fastText"])),
    case("codec_brotli", "", brotli, Right::Reads(64, NAMES, &[])),
    Case { file: "compressed_length.arrow", ..case("hostile", "", hostile, Right::Refuses(&["compressed_length.arrow: not a readable Arrow IPC file", "claims to hold"])) },
    Case { file: "hfrows_1e9.arrow", ..case("hostile", "", hostile, Right::Refuses(&["hfrows_1e9.arrow: not a readable Arrow IPC file", "1000000000 rows"])) },
    Case { file: "hfrows_2p50.arrow", ..case("hostile", "", hostile, Right::Refuses(&["hfrows_2p50.arrow: not a readable Arrow IPC file", "1125899906842624 rows"])) },
];

#[test]
fn files_as_people_have_them() {
    let rows = samples::examples(64);
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(8) {
            scope.spawn(|| {
                while let Some(case) = CASES.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let scratch = Scratch::new();
                    let folder = scratch.path(case.name);
                    std::fs::create_dir(&folder).unwrap();
                    (case.make)(&folder, &rows);
                    check(case, &scratch, &folder);
                }
            });
        }
    });
}

#[test]
fn the_same_of_the_files_beside_the_workspace() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases");
    if !shared.is_dir() {
        eprintln!("skipped: no files at {}", shared.display());
        return;
    }
    for case in CASES {
        let folder = shared.join(case.name);
        assert!(folder.is_dir(), "{}", folder.display());
        check(case, &Scratch::new(), &folder);
    }
}

#[track_caller]
fn check(case: &Case, scratch: &Scratch, folder: &Path) {
    let data = folder.join(case.file);
    let mut arguments = vec!["--dataset", data.to_str().unwrap()];
    arguments.extend(split(
        "--train-rows 0 --eval-rows 0 --max-steps 1 --strategy head --report-to none --json",
    ));
    let mut own = split(case.options);
    match own.first() {
        Some(&UNNAMED) => drop(own.remove(0)),
        _ if own.contains(&"--validation-split") => {}
        _ => arguments.extend(["--validation-split", "train"]),
    }
    if !own.contains(&"--test-split") {
        arguments.extend(["--test-split", ""]);
    }
    arguments.extend(own);
    let run = scratch.train(&arguments);
    let what = format!("{} {}\n{run}", case.name, case.options);
    match &case.right {
        Right::Refuses(words) => {
            run.refused(words);
            assert!(!scratch.path("run").exists(), "{what}");
        }
        Right::Reads(rows, classes, words) => {
            assert_eq!(run.code, Some(0), "{what}");
            let results = run.json();
            assert_eq!(results["validation"]["rows"], *rows, "{what}");
            let plan: toml::Table =
                toml::from_str(&String::from_utf8(scratch.read("run/plan.toml")).unwrap()).unwrap();
            let expected: Vec<_> = classes
                .iter()
                .map(|name| toml::Value::from(*name))
                .collect();
            assert_eq!(plan["labels"].as_array(), Some(&expected), "{what}");
            let about_data =
                |line: &&str| line.starts_with("note: ") && line.contains(folder.to_str().unwrap());
            let notes: Vec<_> = run.stderr.lines().filter(about_data).collect();
            let notes = notes.join("\n");
            assert_eq!(notes.is_empty(), words.is_empty(), "{what}");
            for word in *words {
                assert!(notes.contains(word), "no {word:?} in a note: {what}");
            }
        }
    }
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), content).unwrap();
}

fn lines(rows: &[Example], line: impl Fn(&str, usize) -> String) -> String {
    rows.iter()
        .map(|(text, class)| line(text, *class))
        .collect()
}

/// Texts without commas, so that they need no quotes.
fn bare(rows: &[Example], delimiter: char, end: &str) -> String {
    let row = |text: &str, class: usize| {
        format!(
            "{}{delimiter}{}{end}",
            text.replace(',', ""),
            CLASSES[class]
        )
    };
    format!("text{delimiter}label{end}{}", lines(rows, row))
}

fn clean(folder: &Path, rows: &[Example]) {
    write(folder, "train.csv", samples::csv(rows));
}

fn semicolon(folder: &Path, rows: &[Example]) {
    let row = |text: &str, class| format!("{text};{}\n", CLASSES[class]);
    write(
        folder,
        "train.csv",
        format!("text;label\n{}", lines(rows, row)),
    );
}

fn comment(folder: &Path, rows: &[Example]) {
    write(
        folder,
        "train.csv",
        format!("# exported 2024\n{}", samples::csv(rows)),
    );
}

fn carriage_returns(folder: &Path, rows: &[Example]) {
    write(folder, "train.csv", bare(rows, ',', "\r"));
}

fn utf16(folder: &Path, rows: &[Example]) {
    let text = format!("\u{feff}{}", bare(rows, '\t', "\n"));
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    write(folder, "train.csv", bytes);
}

/// A quote opens in row 10 and closes in row 13.
fn stray_quotes(folder: &Path, rows: &[Example]) {
    let text = bare(rows, ',', "\n");
    let mut all: Vec<_> = text.lines().map(str::to_owned).collect();
    all[11].insert(0, '"');
    all[14] = all[14].replace(',', "\",");
    write(folder, "train.csv", all.join("\n"));
}

fn gzip(folder: &Path, rows: &[Example]) {
    let file = File::create(folder.join("train.csv.gz")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    encoder.write_all(samples::csv(rows).as_bytes()).unwrap();
    encoder.finish().unwrap();
}

fn json_array(folder: &Path, rows: &[Example]) {
    let objects = rows
        .iter()
        .map(|(text, class)| json!({"text": text, "label": class}));
    write(
        folder,
        "train.json",
        json!(objects.collect::<Vec<_>>()).to_string(),
    );
}

fn pandas_columns(folder: &Path, rows: &[Example]) {
    let mut columns = json!({"text": {}, "label": {}});
    for (index, (text, class)) in rows.iter().enumerate() {
        columns["text"][index.to_string()] = json!(text);
        columns["label"][index.to_string()] = json!(class);
    }
    write(folder, "train.json", columns.to_string());
}

fn json_lines(rows: &[Example], end: &str) -> String {
    let row = |text: &str, class| format!("{}{end}\n", json!({"text": text, "label": class}));
    lines(rows, row)
}

fn nan_score(folder: &Path, rows: &[Example]) {
    let text = json_lines(rows, "");
    let mut all: Vec<_> = text.lines().map(str::to_owned).collect();
    let class = rows[30].1;
    all[30] = all[30].replace(&format!("\"label\":{class}"), "\"label\": NaN");
    write(folder, "train.jsonl", all.join("\n"));
}

fn trailing_comma(folder: &Path, rows: &[Example]) {
    write(folder, "train.jsonl", json_lines(rows, ","));
}

fn mnli(folder: &Path, rows: &[Example]) {
    let row = |text: &str, class| {
        let reversed: String = text.chars().rev().collect();
        format!("\"{text}\",\"{reversed}\",{class}\n")
    };
    let text = format!("premise,hypothesis,label\n{}", lines(rows, row));
    for name in ["train", "validation_matched", "validation_mismatched"] {
        write(folder, &format!("{name}.csv"), &text);
    }
}

fn spark(folder: &Path, rows: &[Example]) {
    write(folder, "_SUCCESS", "");
    let (first, second) = rows.split_at(32);
    write(folder, "part-00000-6f1c2a7e-c000.csv", samples::csv(first));
    write(folder, "part-00001-6f1c2a7e-c000.csv", samples::csv(second));
}

fn fasttext(folder: &Path, rows: &[Example]) {
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

fn brotli(folder: &Path, rows: &[Example]) {
    let batch = batch(rows);
    let codec = Compression::BROTLI(BrotliLevel::default());
    let properties = WriterProperties::builder().set_compression(codec).build();
    let file = File::create(folder.join("train.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Arrow streams whose numbers were changed: the length of a compressed buffer, the rows of a batch.
fn hostile(folder: &Path, rows: &[Example]) {
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
