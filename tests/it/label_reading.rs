//! The notes on label columns whose meaning is ambiguous, and every suggestion in them typed as it
//! stands.

use finetune_data::{
    arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    write_parquet,
};
use serde_json::{Value, json};

use crate::{
    command::{Run, Scratch, argument, split},
    samples,
};

const FIXED: &str = "--max-steps 1 --strategy head --device cpu --json";

/// `x.csv` of 40 rows, their labels as `label` writes them: of row, text and class.
fn csv(label: impl Fn(usize, usize) -> String) -> Scratch {
    let scratch = Scratch::new();
    let row = |(row, (text, class)): (usize, samples::Example)| {
        format!("\"{text}\",{}\n", label(row, class))
    };
    let rows: String = samples::examples(40)
        .into_iter()
        .enumerate()
        .map(row)
        .collect();
    scratch.write("x.csv", format!("text,label\n{rows}"));
    scratch
}

fn train(scratch: &Scratch, arguments: &[&str]) -> Run {
    let fixed = split(FIXED);
    let data: &[&str] = if scratch.path("x.csv").exists() {
        &["--dataset", "x.csv"]
    } else {
        &["--dataset", "data"]
    };
    scratch.train(&[&fixed[..], data, arguments].concat())
}

fn refused(scratch: &Scratch, arguments: &[&str], words: &[&str]) {
    let fixed = split(FIXED);
    scratch.refuses_train(
        &[&fixed[..], &["--dataset", "x.csv"], arguments].concat(),
        words,
    );
}

fn plan(scratch: &Scratch, run: &str) -> toml::Table {
    let plan = String::from_utf8(scratch.read(&format!("{run}/plan.toml"))).unwrap();
    plan.parse().unwrap()
}

/// The labels of the run, which took place, with the words in what it said.
#[track_caller]
fn labels(scratch: &Scratch, run: &Run, words: &[&str]) -> Value {
    for word in words {
        assert!(run.stderr.contains(word), "no {word:?} in {run}");
    }
    json!(plan(scratch, "run")["labels"])
}

#[test]
fn whole_floats() {
    let scratch = csv(|_, class| format!("{class}.0"));
    let run = train(&scratch, &[]).succeeded();
    let words = [
        "note: the floating-point labels",
        "x.csv, row ",
        "--problem-type regression",
    ];
    assert_eq!(labels(&scratch, &run, &words), json!(["0", "1"]));
    for (problem_type, expected) in [
        ("regression", json!(["label"])),
        ("classification", json!(["0", "1"])),
    ] {
        let scratch = csv(|_, class| format!("{class}.0"));
        let run = train(&scratch, &["--problem-type", problem_type]).succeeded();
        assert_eq!(labels(&scratch, &run, &[]), expected);
        assert!(!run.stderr.contains("floating-point"), "{run}");
    }
    let scratch = csv(|row, class| {
        if row == 9 {
            "1.0".into()
        } else {
            class.to_string()
        }
    });
    let run = train(&scratch, &[]).succeeded();
    let words = ["x.csv, row 9 (line 11)", "among integers"];
    assert_eq!(labels(&scratch, &run, &words), json!(["0", "1"]));
}

/// Both ways out of a missing number work, and going on repeats what was left out.
#[test]
fn missing_numbers() {
    let one = |missing: &'static str| {
        csv(move |row, class| {
            if row == 9 {
                missing.into()
            } else {
                class.to_string()
            }
        })
    };
    let words = [
        "x.csv, row 9 (line 11)",
        "--skip-invalid",
        "--problem-type classification",
    ];
    refused(&one("NA"), &[], &words);
    refused(
        &one("\"\""),
        &[],
        &["x.csv, row 9 (line 11)", "--skip-invalid"],
    );
    let scratch = one("NA");
    let run = train(&scratch, &["--problem-type", "classification"]).succeeded();
    assert_eq!(labels(&scratch, &run, &[]), json!(["0", "1", "NA"]));
    let scratch = one("NA");
    let run = train(&scratch, &["--skip-invalid"]).succeeded();
    let words = ["1 row was left out", "row 9 (line 11)", "no label"];
    assert_eq!(labels(&scratch, &run, &words), json!(["0", "1"]));
    let fingerprints = plan(&scratch, "run")["dataset_fingerprints"].clone();
    let replay = scratch
        .run(&split("replay run --output again --json"))
        .succeeded();
    assert_eq!(
        plan(&scratch, "again")["dataset_fingerprints"],
        fingerprints,
        "{replay}"
    );
    let evaluate = split("evaluate run/model --dataset x.csv --split train --json");
    let evaluated = scratch
        .run(&[&evaluate[..], &["--skip-invalid"]].concat())
        .succeeded();
    assert_eq!(evaluated.json()["rows"], 39);
}

#[test]
fn integers_that_are_no_indices() {
    let signs = || csv(|_, class| (2 * class as i64 - 1).to_string());
    refused(
        &signs(),
        &[],
        &["--labels -1,1", "--problem-type regression"],
    );
    let scratch = signs();
    let run = train(&scratch, &["--labels", "-1,1"]).succeeded();
    assert_eq!(labels(&scratch, &run, &[]), json!(["-1", "1"]));
    let three = || {
        csv(|row, class| {
            if row % 5 == 0 {
                "0".into()
            } else {
                (2 * class as i64 - 1).to_string()
            }
        })
    };
    refused(&three(), &[], &["x.csv, row ", "--labels -1,0,1"]);
    let scratch = three();
    let run = train(&scratch, &["--labels", "-1,0,1"]).succeeded();
    assert_eq!(labels(&scratch, &run, &[]), json!(["-1", "0", "1"]));
    // A flag is no name.
    refused(
        &signs(),
        &["--labels", "--max-length", "8"],
        &["expected a name, not a flag"],
    );
    let counted = || csv(|_, class| (class + 1).to_string());
    refused(
        &counted(),
        &["--labels", "no,yes"],
        &["count from 1", "--labels 1,2"],
    );
    let scratch = counted();
    let run = train(&scratch, &["--labels", "1,2"]).succeeded();
    assert_eq!(labels(&scratch, &run, &[]), json!(["1", "2"]));
}

/// Several labels in a cell, kept with the run.
#[test]
fn label_separator() {
    let cells = || {
        csv(|row, class| match row % 3 {
            0 => "anger;joy".into(),
            _ => ["anger", "joy"][class].into(),
        })
    };
    let scratch = cells();
    let run = train(&scratch, &[]).succeeded();
    let words = [
        "\"anger;joy\" (",
        "x.csv, row 0 (line 2)",
        "--label-separator ';'",
    ];
    assert_eq!(
        labels(&scratch, &run, &words),
        json!(["anger", "anger;joy", "joy"])
    );
    let scratch = cells();
    let run = train(&scratch, &["--label-separator", ";"]).succeeded();
    assert_eq!(labels(&scratch, &run, &[]), json!(["anger", "joy"]));
    let plan = plan(&scratch, "run");
    assert_eq!(
        plan["problem_type"].as_str(),
        Some("multi_label_classification")
    );
    assert_eq!(plan["label_separator"].as_str(), Some(";"));
    let evaluate =
        split("evaluate run/model --dataset x.csv --split train --label-separator ; --json");
    scratch.run(&evaluate).succeeded();
}

#[test]
fn names_that_print_alike() {
    let scratch = csv(|row, class| match row {
        4 => "negative\u{a0}".into(),
        _ => samples::CLASSES[class].into(),
    });
    let run = train(&scratch, &["--validation-split", "train[:20]"]).succeeded();
    assert!(run.stderr.contains("\"negative\\u{a0}\" ("), "{run}");
    assert!(run.stderr.contains("x.csv, row 4 (line 6)"), "{run}");
}

#[test]
fn one_hot_lists() {
    let lists = || csv(|_, class| format!("\"[{}, {class}]\"", 1 - class));
    let scratch = lists();
    let run = train(&scratch, &[]).succeeded();
    let words = [
        "note: the lists of integers",
        "one class per row",
        "--problem-type multi_label",
    ];
    assert_eq!(labels(&scratch, &run, &words), json!(["0", "1"]));
    assert_eq!(
        plan(&scratch, "run")["problem_type"].as_str(),
        Some("single_label_classification")
    );
    // The run, given again as its plan has it, and evaluated.
    scratch
        .run(&split("replay run --output again --json"))
        .succeeded();
    let evaluate = split("evaluate run/model --dataset x.csv --split train --json");
    let rows = scratch.run(&evaluate).succeeded().json()["rows"].clone();
    assert_eq!(rows, 40);
    let scratch = lists();
    train(&scratch, &["--problem-type", "multi_label"]).succeeded();
    assert_eq!(
        plan(&scratch, "run")["problem_type"].as_str(),
        Some("multi_label_classification")
    );
}

/// A Parquet file of `rows`, its classes named in this order.
fn parquet(
    scratch: &Scratch,
    name: &str,
    rows: &[samples::Example],
    names: [&str; 2],
    hidden: bool,
) {
    let text: Vec<_> = rows.iter().map(|(text, _)| text.as_str()).collect();
    let place = |class: usize| {
        names
            .iter()
            .position(|name| *name == samples::CLASSES[class])
    };
    let label = |class: usize| {
        if hidden {
            -1
        } else {
            place(class).unwrap() as i64
        }
    };
    let label: Vec<_> = rows.iter().map(|(_, class)| label(*class)).collect();
    let columns = [
        (
            "text",
            std::sync::Arc::new(StringArray::from(text)) as ArrayRef,
        ),
        ("label", std::sync::Arc::new(Int64Array::from(label))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let classes = vec![("label".to_owned(), names.map(str::to_owned).to_vec())];
    std::fs::create_dir_all(scratch.path("data")).unwrap();
    write_parquet(scratch.path(name), &batch.schema(), &classes, [Ok(batch)]).unwrap();
}

/// Shards whose names stand in another order are evaluated as the same rows in one file.
#[test]
fn shards_with_names_of_their_own() {
    let all = samples::examples(200);
    let [a, b] = samples::CLASSES;
    let scratch = Scratch::new();
    parquet(&scratch, "data/train.parquet", &all[..160], [a, b], false);
    let long =
        split("--dataset data --epochs 8 --learning-rate 3e-3 --json --validation-fraction 0.2");
    let trained = scratch.train(&long).succeeded();
    let evaluate = |data: &str| {
        let fixed = split("evaluate run/model --split train --json --dataset");
        scratch.run(&[&fixed[..], &[data]].concat()).succeeded()
    };
    std::fs::create_dir_all(scratch.path("shards")).unwrap();
    parquet(&scratch, "whole.parquet", &all[160..], [a, b], false);
    parquet(
        &scratch,
        "shards/train-00000-of-00002.parquet",
        &all[160..180],
        [a, b],
        false,
    );
    parquet(
        &scratch,
        "shards/train-00001-of-00002.parquet",
        &all[180..],
        [b, a],
        false,
    );
    let whole = evaluate("whole.parquet").json();
    let accuracy = whole["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.7, "{whole} {trained}");
    let shards = evaluate("shards").json();
    assert_eq!(
        (&shards["accuracy"], &shards["rows"]),
        (&whole["accuracy"], &whole["rows"])
    );
}

#[test]
fn hidden_test_labels() {
    let all = samples::examples(80);
    let scratch = Scratch::new();
    for (name, rows, hidden) in [
        ("train", &all[..40], false),
        ("validation", &all[40..60], false),
        ("test", &all[60..], true),
    ] {
        parquet(
            &scratch,
            &format!("data/{name}.parquet"),
            rows,
            samples::CLASSES,
            hidden,
        );
    }
    let run = train(&scratch, &[]).succeeded();
    assert!(
        run.stderr.contains("note: the test split test is not used"),
        "{run}"
    );
    assert_eq!(plan(&scratch, "run")["test_split"].as_str(), Some(""));
    let fixed = split(FIXED);
    scratch.refuses(
        &[
            &[
                "train",
                "--dataset",
                "data",
                "--output",
                "again",
                "--test-split",
                "test",
            ],
            &fixed[..],
        ]
        .concat(),
        &["test split test", "--test-split \"\""],
    );
    let none = [
        "train",
        "--dataset",
        "data",
        "--output",
        "again",
        "--test-split",
        "",
    ];
    let model = crate::fixtures::path("tiny_bert");
    scratch
        .run(&[&none[..], &["--model", model.to_str().unwrap()], &fixed[..]].concat())
        .succeeded();
}

/// Class names that are integers, as they stand in the data, need no quotes in TOML.
#[test]
fn names_that_are_integers_in_a_plan() {
    let scratch = Scratch::new();
    let rows = samples::examples(40);
    let line = |(text, class): &samples::Example| format!("\"{text}\",{}\n", [-1, 1][*class]);
    let lines: String = rows.iter().map(line).collect();
    scratch.write("rows.csv", format!("text,label\n{lines}"));
    scratch.write("plan.toml", "labels = [1, -1]\nmax_steps = 1\n");
    let model = crate::fixtures::path("tiny_bert");
    let fixed = [
        "train",
        "--model",
        argument(&model),
        "--dataset",
        "rows.csv",
    ];
    for (run, options) in [
        ("file", &["plan.toml"][..]),
        ("set", &["--max-steps", "1", "--set", "labels=[1,-1]"]),
        ("flag", &["--max-steps", "1", "--labels", "1,-1"]),
    ] {
        let arguments = [&fixed[..], &["--output", run], options].concat();
        scratch.run(&arguments).succeeded();
        let config = scratch.json(&format!("{run}/model/config.json"));
        assert_eq!(config["id2label"]["0"], "1", "{run}");
        assert_eq!(config["id2label"]["1"], "-1", "{run}");
    }
    scratch.write("plan.toml", "labels = [1.5]\n");
    let arguments = [&fixed[..], &["plan.toml"]].concat();
    scratch.refuses(
        &arguments,
        &["plan.toml", "a string or an integer, or a list of them"],
    );
}

/// A column of integers and floats is one of floats, which do not have every large integer.
#[test]
fn integers_that_floats_do_not_have() {
    let scratch = Scratch::new();
    let rows = |numbers: [&str; 2]| {
        let line = |(text, class): samples::Example| {
            let number = numbers[class];
            format!("{{\"text\": \"{text}\", \"label\": {number}}}\n")
        };
        samples::examples(40)
            .into_iter()
            .map(line)
            .collect::<String>()
    };
    // 2^53 + 1
    scratch.write("rows.jsonl", rows(["9007199254740993", "2.5"]));
    let words = ["9007199254740993 cannot be kept exactly", "all as strings"];
    scratch.refuses_train(&split("--dataset rows.jsonl"), &words);
    scratch.write("rows.jsonl", rows(["2.0", "9007199254740993"]));
    scratch.refuses_train(&split("--dataset rows.jsonl"), &words);
    // 2^53
    scratch.write("rows.jsonl", rows(["9007199254740992", "2.0"]));
    scratch
        .train(&split(
            "--dataset rows.jsonl --max-steps 1 --labels 2,9007199254740992",
        ))
        .succeeded();
    let config = scratch.json("run/model/config.json");
    assert_eq!(config["id2label"]["1"], "9007199254740992");

    // Where the column is only handed on it keeps every digit.
    let ids = "{\"text\": \"good\", \"id\": 9007199254740993}\n{\"text\": \"bad\", \"id\": 0.5}\n";
    scratch.write("ids.jsonl", ids);
    let predict = "predict --model run --file ids.jsonl --output out.csv";
    scratch.run(&split(predict)).succeeded();
    let out = String::from_utf8(scratch.read("out.csv")).unwrap();
    assert!(
        out.contains("9007199254740993") && out.contains("0.5"),
        "{out}"
    );
}
