//! Several labels or several numbers per row, from training to prediction.

use finetune_data::{Dataset, arrow::array::AsArray};
use serde_json::{Value, json};

use crate::{
    command::{Scratch, split},
    samples,
};

const LABELS: [&str; 3] = ["negative", "people", "positive"];

/// What a sentence is about: its class, and `people` where it names the acting; nothing for slow
/// things.
fn labels(text: &str, class: usize) -> Vec<&'static str> {
    if text.contains("slow") {
        return vec![];
    }
    let people = text.contains("acting").then_some("people");
    let all = [Some(samples::CLASSES[class]), people].into_iter();
    let mut all: Vec<_> = all.flatten().collect();
    all.sort_unstable();
    all
}

/// `data/train.jsonl`, `validation.jsonl` and `test.jsonl`: 160, 20 and 20 rows.
fn splits(scratch: &Scratch, row: impl Fn(&str, usize) -> Value) {
    let all = samples::examples(200);
    let lines = |rows: &[samples::Example]| -> String {
        let lines = rows
            .iter()
            .map(|(text, class)| row(text, *class).to_string() + "\n");
        lines.collect()
    };
    scratch.write("data/train.jsonl", lines(&all[..160]));
    scratch.write("data/validation.jsonl", lines(&all[160..180]));
    scratch.write("data/test.jsonl", lines(&all[180..]));
}

fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().unwrap();
    object.keys().map(String::as_str).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn several_labels_per_row() {
    let scratch = Scratch::new();
    splits(
        &scratch,
        |text, class| json!({"text": text, "labels": labels(text, class)}),
    );
    let results = scratch
        .train(&split(
            "--dataset data --learning-rate 3e-3 --epochs 20 --json",
        ))
        .succeeded()
        .json();
    let test = &results["test"];
    assert!(number(&test["f1_micro"]) > 0.85, "{test}");
    assert_eq!(keys(&test["per_class"]), LABELS);

    let plan: toml::Table = String::from_utf8(scratch.read("run/plan.toml"))
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(
        plan["problem_type"].as_str(),
        Some("multi_label_classification")
    );
    let config = scratch.json("run/model/config.json");
    assert_eq!(config["problem_type"], "multi_label_classification");
    assert_eq!(
        config["id2label"],
        json!({"0": "negative", "1": "people", "2": "positive"})
    );

    let evaluate = split("evaluate --model run/model --dataset data --json");
    assert_eq!(scratch.run(&evaluate).succeeded().json(), *test);

    let predict = split("predict --model run/model --file data/test.jsonl");
    let lines = scratch.run(&[&predict[..], &["--json"]].concat());
    let lines = lines.succeeded().json_lines();
    let mut exact = 0;
    for (line, (text, class)) in lines.iter().zip(&samples::examples(200)[180..]) {
        assert_eq!(
            keys(line),
            [
                "text",
                "prediction",
                "confidence",
                "label",
                "probabilities",
                "logits"
            ]
        );
        let probabilities = line["probabilities"].as_object().unwrap();
        let likely = probabilities.iter().filter(|(_, p)| number(p) >= 0.5);
        let likely: Vec<_> = likely.map(|(name, _)| name).collect();
        assert_eq!(json!(likely), line["prediction"]);
        exact += usize::from(line["prediction"] == json!(labels(text, *class)));
    }
    assert_eq!(
        exact as f64 / 20.0,
        number(&test["subset_accuracy"]),
        "the evaluation counts what prediction says"
    );

    // A file of predictions is a data set again.
    let file = split("--format parquet --output predictions.parquet");
    scratch.run(&[&predict[..], &file[..]].concat()).succeeded();
    let path = scratch.path("predictions.parquet");
    let saved = Dataset::open_file(&path).unwrap().split("train").unwrap();
    let mut rows = Vec::new();
    for batch in saved.batches().unwrap() {
        let batch = batch.unwrap();
        let lists = batch.column_by_name("prediction").unwrap().as_list::<i32>();
        rows.extend(lists.iter().map(|list| {
            let list = list.unwrap();
            let names = list.as_string::<i32>().iter().flatten();
            json!(names.collect::<Vec<_>>())
        }));
    }
    let predicted: Vec<_> = lines
        .iter()
        .map(|line| line["prediction"].clone())
        .collect();
    assert_eq!(rows, predicted);
    let again = split("evaluate --model run/model --dataset predictions.parquet --json");
    let own = scratch.run(&again).succeeded().json();
    assert_eq!(own["subset_accuracy"], test["subset_accuracy"]);
    let again = [&again[..], &["--label-column", "prediction"]].concat();
    let again = scratch.run(&again).succeeded().json();
    assert_eq!(again["subset_accuracy"], 1.0);

    let table = scratch.run(&predict).succeeded();
    let head: Vec<_> = table
        .stdout
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(head, ["text", "negative", "people", "positive", "labels"]);

    // The head is kept: training goes on where it was.
    let on = split(
        "train --model run/model --dataset data --learning-rate 1e-9 --max-steps 1 --output on --json",
    );
    let on = scratch.run(&on).succeeded();
    assert!(!on.stderr.contains("new weights"), "{on}");
    assert_eq!(
        on.json()["test"]["subset_accuracy"],
        test["subset_accuracy"]
    );
}

/// A column of zeros and ones per class is the same task.
#[test]
fn a_column_per_label() {
    let results = [
        (None, &[][..]),
        (
            Some(()),
            &["--label-column", "negative,people,positive"][..],
        ),
    ]
    .map(|(columns, arguments)| {
        let scratch = Scratch::new();
        splits(&scratch, |text, class| {
            let labels = labels(text, class);
            let marks = LABELS.map(|name| u8::from(labels.contains(&name)));
            match columns {
                None => json!({"text": text, "labels": labels}),
                Some(()) => json!({"text": text, "negative": marks[0], "people": marks[1], "positive": marks[2]}),
            }
        });
        let fixed = split("--dataset data --epochs 1 --json");
        let run = scratch.train(&[&fixed[..], arguments].concat()).succeeded();
        let test = run.json()["test"].clone();
        // The columns named as the model's labels are found.
        let evaluate = split("evaluate --model run/model --dataset data --json");
        assert_eq!(scratch.run(&evaluate).succeeded().json(), test);
        test
    });
    assert_eq!(results[0], results[1]);
}

/// How warm and how long a sentence is, in a list or in two columns.
#[test]
fn several_numbers_per_row() {
    let warmth = |class: usize| if class == 1 { 1.0 } else { -1.0 };
    let length = |text: &str| (text.split(' ').count() as f64 - 5.5) / 2.0;
    for (columns, arguments, names) in [
        (false, &[][..], ["scores_0", "scores_1"]),
        (
            false,
            &["--labels", "warmth,length", "--problem-type", "regression"],
            ["warmth", "length"],
        ),
        (
            true,
            &["--label-column", "warmth,length"],
            ["warmth", "length"],
        ),
    ] {
        let scratch = Scratch::new();
        splits(&scratch, |text, class| match columns {
            true => json!({"text": text, "length": length(text), "warmth": warmth(class)}),
            false => json!({"text": text, "scores": [warmth(class), length(text)]}),
        });
        let mut fixed = split("--dataset data --learning-rate 3e-3 --epochs 20 --json");
        if !columns {
            fixed.extend(["--label-column", "scores"]);
        }
        let results = scratch
            .train(&[&fixed[..], arguments].concat())
            .succeeded()
            .json();
        let test = &results["test"];
        // A constant would leave the variance, about 1 and 0.9.
        for output in test["per_output"].as_array().unwrap() {
            assert!(number(&output["mse"]) < 0.4, "{test}");
        }
        let config = scratch.json("run/model/config.json");
        assert_eq!(config["problem_type"], "regression");
        assert_eq!(config["id2label"], json!({"0": names[0], "1": names[1]}));

        let mut evaluate = split("evaluate --model run/model --dataset data --json");
        if !columns {
            evaluate.extend(["--label-column", "scores"]);
        }
        assert_eq!(scratch.run(&evaluate).succeeded().json(), *test);

        let predict = split("predict --model run/model --file data/test.jsonl");
        let lines = scratch.run(&[&predict[..], &["--json"]].concat());
        let lines = lines.succeeded().json_lines();
        assert_eq!(keys(&lines[0]), ["text", "prediction", "logits"]);
        assert_eq!(keys(&lines[0]["prediction"]), names);
        let rows = &samples::examples(200)[180..];
        let squares = lines.iter().zip(rows).map(|(line, (_, class))| {
            (number(&line["prediction"][names[0]]) - warmth(*class)).powi(2)
        });
        let mse = squares.sum::<f64>() / rows.len() as f64;
        assert!((mse - number(&test["per_output"][0]["mse"])).abs() < 1e-5);
        let table = scratch.run(&predict).succeeded();
        let head: Vec<_> = table
            .stdout
            .lines()
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        assert_eq!(head, ["text", names[0], names[1]]);
    }
}

/// One number needs no name to be the same: a head is kept whatever its column is called.
#[test]
fn a_regression_trains_on() {
    let scratch = Scratch::new();
    splits(
        &scratch,
        |text, class| json!({"text": text, "score": class as f64 + 0.5}),
    );
    let first = split("--dataset data --label-column score --epochs 1 --json");
    scratch.train(&first).succeeded();
    splits(
        &scratch,
        |text, class| json!({"text": text, "label": class as f64 + 0.5}),
    );
    let on = split("train --model run/model --dataset data --max-steps 1 --output on");
    let on = scratch.run(&on).succeeded();
    assert!(!on.stderr.contains("new weights"), "{on}");
    let kept = "head is kept: label is the number that it predicts, called score there";
    assert!(on.stderr.contains(kept), "{on}");
    let new = "train --model run/model --dataset data --max-steps 1 --reset-head --output new";
    let new = scratch.run(&split(new)).succeeded();
    assert!(
        new.stderr.contains("new weights") && !new.stderr.contains("kept"),
        "{new}"
    );
}

#[test]
fn problem_types_by_either_name() {
    for (name, full) in [
        ("classification", "single_label_classification"),
        ("regression", "regression"),
    ] {
        for name in [name, full] {
            let scratch = Scratch::new();
            splits(
                &scratch,
                |text, class| json!({"text": text, "label": class}),
            );
            let arguments = [
                "--dataset",
                "data",
                "--max-steps",
                "1",
                "--problem-type",
                name,
            ];
            scratch.train(&arguments).succeeded();
            assert_eq!(scratch.json("run/model/config.json")["problem_type"], full);
        }
    }
    for name in ["multi_label", "multi_label_classification"] {
        let scratch = Scratch::new();
        // Floats mean a regression, unless something else is said.
        splits(
            &scratch,
            |text, class| json!({"text": text, "label": [class as f64, 1.0 - class as f64]}),
        );
        let arguments = [
            "--dataset",
            "data",
            "--max-steps",
            "1",
            "--problem-type",
            name,
        ];
        scratch.train(&arguments).succeeded();
        assert_eq!(
            scratch.json("run/model/config.json")["problem_type"],
            "multi_label_classification"
        );
    }
    let scratch = Scratch::new();
    splits(
        &scratch,
        |text, class| json!({"text": text, "label": class}),
    );
    scratch.refuses_train(
        &["--dataset", "data", "--problem-type", "multi_label"],
        &["`label`", "one value per row", "list"],
    );
    scratch.refuses_train(
        &["--dataset", "data", "--metric-for-best-model", "f1_samples"],
        &["f1_samples", "f1_macro"],
    );
}

/// Thresholds found on the validation rows: kept in the model's config.json, used by evaluation and
/// prediction, gone when training goes on.
#[test]
fn thresholds() {
    let scratch = Scratch::new();
    splits(
        &scratch,
        |text, class| json!({"text": text, "labels": labels(text, class)}),
    );
    // So short that no probability of the rare label reaches a half.
    let train = split("--dataset data --learning-rate 2e-3 --epochs 3 --json");
    let trained = scratch.train(&train).succeeded().json();
    let evaluate = |options: &str| {
        let fixed = split("evaluate run/model --dataset data");
        scratch
            .run(&[&fixed[..], &split(options)].concat())
            .succeeded()
    };
    let on_train = evaluate("--split train --json").json();
    assert_eq!(on_train["thresholds"], json!([0.5, 0.5, 0.5]));

    let found = evaluate("--find-thresholds --split train --json").json();
    assert_eq!(found["f1_macro"], on_train["f1_macro"]);
    let found = &found["thresholds_found"];
    assert_eq!(found["before"]["f1_macro"], on_train["f1_macro"]);
    assert!(
        number(&found["after"]["f1_macro"]) > number(&found["before"]["f1_macro"]),
        "{found}"
    );
    let config = scratch.json("run/model/config.json");
    assert_eq!(config["label_thresholds"], found["label_thresholds"]);
    assert_eq!(keys(&config["label_thresholds"]), LABELS);
    let after = evaluate("--split train --json").json();
    assert_eq!(after["f1_macro"], found["after"]["f1_macro"]);
    assert_eq!(after["f1_micro"], found["after"]["f1_micro"]);

    let predict = split("predict --model run/model --file data/train.jsonl --json");
    for line in scratch.run(&predict).succeeded().json_lines() {
        let reached = |name: &&str| {
            number(&line["probabilities"][name]) >= number(&config["label_thresholds"][name])
        };
        let reached: Vec<_> = LABELS.into_iter().filter(reached).collect();
        assert_eq!(line["prediction"], json!(reached));
    }

    // One for all, on the validation rows, in words.
    let run = evaluate("--find-thresholds=global");
    for part in [
        "validation: 20 rows",
        "threshold for all labels",
        "label_thresholds",
    ] {
        assert!(run.to_string().contains(part), "no {part:?} in {run}");
    }
    let config = scratch.json("run/model/config.json");
    let thresholds = config["label_thresholds"].as_object().unwrap();
    assert!(
        thresholds
            .values()
            .all(|value| *value == thresholds["people"])
    );
    assert_eq!(config["id2label"]["1"], "people");
    assert_eq!(trained["test"]["rows"], 20);

    let on = split("train --model run/model --dataset data --max-steps 1 --output on");
    scratch.run(&on).succeeded();
    assert_eq!(
        scratch.json("on/model/config.json").get("label_thresholds"),
        None
    );

    let config = config.to_string().replace("\"people\":0", "\"people\":7");
    scratch.write("run/model/config.json", config);
    scratch.refuses(
        &split("evaluate run/model --dataset data"),
        &["config.json", "label_thresholds", "people", "0 to 1"],
    );
}

/// The single labels that are most surely wrong.
#[test]
fn errors_of_several_labels() {
    let scratch = Scratch::new();
    splits(
        &scratch,
        |text, class| json!({"text": text, "labels": labels(text, class)}),
    );
    scratch
        .train(&split("--dataset data --epochs 1"))
        .succeeded();
    let evaluate = split("evaluate run/model --dataset data --errors 5 --json");
    let metrics = scratch.run(&evaluate).succeeded().json();
    for error in metrics["errors"].as_array().unwrap() {
        let (text, class) = &samples::examples(200)[180 + error["row"].as_u64().unwrap() as usize];
        assert_eq!(error["text"], text.as_str());
        let label = error["label"].as_str().unwrap();
        match label.strip_prefix("not ") {
            Some(name) => {
                assert!(!labels(text, *class).contains(&name));
                assert_eq!(error["prediction"], name);
            }
            None => {
                assert!(labels(text, *class).contains(&label));
                assert_eq!(error["prediction"], format!("not {label}"));
            }
        }
        assert!(number(&error["confidence"]) >= 0.5);
    }
}
