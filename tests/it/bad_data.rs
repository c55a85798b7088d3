//! `train` rejects data that it cannot read or learn from before it creates anything.

use std::{fs, sync::Arc};

use finetune_data::arrow::array::{ArrayRef, Int64Array};

use crate::{
    command::{Scratch, argument, split},
    samples,
};

/// Writes files, then trains on `data` with `arguments`.
#[track_caller]
fn check(files: &[(&str, &[u8])], data: &str, arguments: &[&str], words: &[&str]) {
    let scratch = Scratch::new();
    for (name, content) in files {
        scratch.write(name, content);
    }
    scratch.refuses_train(&[&["--dataset", data], arguments].concat(), words);
}

/// A good header and rows, then this.
fn after_good_rows(line: &[u8]) -> Vec<u8> {
    [samples::csv(&samples::examples(40)).as_bytes(), line].concat()
}

#[test]
fn missing_file() {
    check(
        &[("reviews.csv", b"text,label\na,b\n")],
        "review.csv",
        &[],
        &["review.csv: no such file", "did you mean reviews.csv?"],
    );
    check(&[], "*.parquet", &[], &["*.parquet"]);
}

#[test]
fn empty_file() {
    for name in ["x.csv", "x.jsonl", "x.parquet", "x.arrow"] {
        check(&[(name, b"")], name, &[], &[name, "the file is empty"]);
    }
    check(
        &[("x.csv", b"text,label\n")],
        "x.csv",
        &[],
        &["selects nothing", "0 rows"],
    );
}

#[test]
fn empty_directory() {
    check(
        &[("data/notes.md", b"no data")],
        "data",
        &[],
        &[
            "data: no data file here",
            ".parquet",
            "train, validation or test",
        ],
    );
}

#[test]
fn unknown_format() {
    check(
        &[("x.xlsx", b"PK")],
        "x.xlsx",
        &[],
        &["x.xlsx: unknown format", ".parquet", ".csv"],
    );
}

#[test]
fn parquet_cut_in_half() {
    let scratch = Scratch::new();
    let path = scratch.path("x.parquet");
    samples::write(&path, &samples::examples(200));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    scratch.refuses_train(
        &["--dataset", "x.parquet"],
        &["x.parquet: not a readable Parquet file", "cut"],
    );
}

/// Half of the pages overwritten: the footer still reads.
#[test]
fn parquet_with_damaged_pages() {
    let scratch = Scratch::new();
    let path = scratch.path("x.parquet");
    samples::write(&path, &samples::examples(200));
    let mut bytes = fs::read(&path).unwrap();
    bytes[4..400].fill(0xff);
    fs::write(&path, bytes).unwrap();
    scratch.refuses_train(
        &["--dataset", "x.parquet"],
        &["x.parquet: not a readable Parquet file"],
    );
}

#[test]
fn csv_with_a_broken_quote() {
    let file = after_good_rows(b"\"never closed,positive\nmore,negative\n");
    check(
        &[("x.csv", &file)],
        "x.csv",
        &[],
        &["x.csv, line 42", "quote", "never closed"],
    );
}

#[test]
fn csv_with_a_row_too_short_or_too_long() {
    let short = after_good_rows(b"lonely\n");
    check(
        &[("x.csv", &short)],
        "x.csv",
        &[],
        &[
            "x.csv, line 42",
            "row 40 is too short: 1 fields",
            "2 (text, label)",
        ],
    );
    let long = after_good_rows(b"good, and great,positive\n");
    check(
        &[("x.csv", &long)],
        "x.csv",
        &[],
        &["x.csv, line 42", "row 40 is too long: 3 fields", "quotes"],
    );
}

#[test]
fn json_lines_that_are_not_json() {
    let line = b"{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \"b\", \"label\"\n";
    check(
        &[("x.jsonl", line)],
        "x.jsonl",
        &[],
        &["x.jsonl, row 1 (line 2)"],
    );
}

#[test]
fn no_text_column() {
    check(
        &[("x.csv", b"headline,stars,label\na,1,b\n")],
        "x.csv",
        &[],
        &[
            "--text-column",
            "headline (string), stars (string), label (string)",
        ],
    );
    check(
        &[("x.csv", b"headline,label\na,b\n")],
        "x.csv",
        &["--text-column", "title"],
        &["no column `title`", "headline (string), label (string)"],
    );
    check(
        &[("x.jsonl", b"{\"text\": 3, \"label\": \"a\"}\n")],
        "x.jsonl",
        &[],
        &["--text-column", "text (int64), label (string)"],
    );
}

#[test]
fn no_label_column() {
    check(
        &[("x.csv", b"text,stars\na,1\n")],
        "x.csv",
        &[],
        &["--label-column", "text (string), stars (string)"],
    );
}

#[test]
fn label_outside_the_class_list() {
    let file = after_good_rows(b"so so,neutral\n");
    check(
        &[("x.csv", &file)],
        "x.csv",
        &["--labels", "negative,positive"],
        &[
            "x.csv, row 40 (line 42)",
            "\"neutral\"",
            "`label`",
            "2 classes (negative, positive)",
        ],
    );
    let scratch = Scratch::new();
    let texts = vec![Some("good"), Some("bad"), Some("dull")];
    let labels: ArrayRef = Arc::new(Int64Array::from(vec![1, 0, 7]));
    samples::parquet(&scratch.path("x.parquet"), texts, labels, &samples::CLASSES);
    scratch.refuses_train(
        &["--dataset", "x.parquet", "--validation-split", "train"],
        &[
            "x.parquet, row 2",
            "class index 7",
            "2 classes (negative, positive)",
        ],
    );
}

#[test]
fn float_labels_where_classes_are_meant() {
    let arguments = ["--problem-type", "classification"];
    check(
        &[("x.csv", b"text,label\na,1\nb,2.5\n")],
        "x.csv",
        &arguments,
        &["x.csv, row 1 (line 3)", "label 2.5", "regression"],
    );
    let scratch = Scratch::new();
    let texts = vec![Some("good"), Some("bad")];
    samples::parquet(
        &scratch.path("x.parquet"),
        texts,
        samples::floats([0.5, 1.0]),
        &[],
    );
    scratch.refuses_train(
        &["--dataset", "x.parquet", "--labels", "a,b"],
        &["x.parquet, row 0", "label 0.5", "regression"],
    );
}

#[test]
fn labels_that_are_no_numbers_where_a_regression_is_meant() {
    for (label, file) in [
        ("high", "text,label\na,1\nb,high\n"),
        ("NaN", "text,label\na,1\nb,NaN\n"),
    ] {
        check(
            &[("x.csv", file.as_bytes())],
            "x.csv",
            &[
                "--problem-type",
                "regression",
                "--validation-split",
                "train",
            ],
            &["x.csv, row 1 (line 3)", label, "finite number"],
        );
    }
}

#[test]
fn only_one_class() {
    check(
        &[("x.csv", b"text,label\na,good\nb,good\n")],
        "x.csv",
        &[],
        &["`label`", "\"good\"", "at least two"],
    );
}

#[test]
fn null_text() {
    let file = after_good_rows(b",positive\n");
    check(
        &[("x.csv", &file)],
        "x.csv",
        &["--validation-split", "train"],
        &["x.csv, row 40 (line 42)", "`text` is null"],
    );
    let scratch = Scratch::new();
    let texts = vec![Some("good"), None, Some("bad")];
    let labels: ArrayRef = Arc::new(Int64Array::from(vec![1, 0, 0]));
    samples::parquet(&scratch.path("x.parquet"), texts, labels, &samples::CLASSES);
    scratch.refuses_train(
        &["--dataset", "x.parquet", "--validation-split", "train"],
        &["x.parquet, row 1", "`text` is null"],
    );
}

#[test]
fn null_label() {
    let file = after_good_rows(b"good,\n");
    check(
        &[("x.csv", &file)],
        "x.csv",
        &[],
        &["x.csv, row 40 (line 42)", "`label` is null"],
    );
}

#[test]
fn split_that_selects_nothing() {
    let files: [(&str, &[u8]); 1] = [("x.csv", b"text,label\na,b\nc,d\n")];
    for (arguments, words) in [
        (
            ["--train-split", "train[2:]"],
            &["train[2:]", "selects nothing", "2 rows"][..],
        ),
        (
            ["--train-split", "train[:1%]"],
            &["train[:1%]", "selects nothing"],
        ),
        (
            ["--validation-split", "train[1:1]"],
            &["train[1:1]", "selects nothing"],
        ),
        (
            ["--test-split", "train[5:9]"],
            &["train[5:9]", "selects nothing"],
        ),
        (
            ["--train-split", "holdout"],
            &["holdout", "the splits here are train"],
        ),
        (
            ["--train-split", "train[a:b]"],
            &["train[a:b]", "train[100:200]"],
        ),
    ] {
        check(&files, "x.csv", &arguments, words);
    }
}

#[test]
fn too_few_rows_for_a_validation_share() {
    check(
        &[("x.csv", b"text,label\na,b\nc,d\n")],
        "x.csv",
        &[],
        &[
            "x.csv has no validation split",
            "2 training rows",
            "--validation-split",
        ],
    );
}

#[test]
fn invalid_utf8() {
    // Beside a character that is: damaged, and not another encoding.
    let csv = after_good_rows(b"caf\xe9 caf\xc3\xa9,positive\n");
    check(
        &[("x.csv", &csv)],
        "x.csv",
        &[],
        &[
            "x.csv, row 40 (line 42)",
            "`text`",
            "UTF-8",
            "--csv-encoding",
        ],
    );
    check(
        &[(
            "x.jsonl",
            b"{\"text\": \"a\", \"label\": \"b\"}\n{\"text\": \"\xff\"}\n",
        )],
        "x.jsonl",
        &[],
        &["x.jsonl, row 1 (line 2)", "UTF-8"],
    );
}

/// The rows before a bad one are not kept as if they were all.
#[test]
fn a_refused_file_can_be_mended() {
    let scratch = Scratch::new();
    let good = samples::csv(&samples::examples(40));
    scratch.write("x.csv", good.clone() + ",positive\n");
    let arguments = split("--dataset x.csv --validation-split train --max-steps 1 --json");
    scratch.refuses_train(&arguments, &["row 40"]);
    scratch.write("x.csv", good);
    let results = scratch.train(&arguments).succeeded().json();
    assert_eq!(results["validation"]["rows"], 40);
    let model = scratch.path("run/model");
    assert!(
        model.join("model.safetensors").exists(),
        "{}",
        argument(&model)
    );
}
