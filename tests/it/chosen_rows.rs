//! Checks on the selected rows, whatever their format, and how many are selected.

use std::sync::Arc;

use finetune_data::arrow::array::{ArrayRef, Int64Array};

use crate::{
    command::{Run, Scratch, split},
    samples::{self, CLASSES, Example},
};

#[track_caller]
fn says(run: &Run, words: &[&str]) {
    let mut notes = run.stderr.lines().filter(|line| line.starts_with("note: "));
    let all = |line: &str| words.iter().all(|word| line.contains(word));
    assert!(notes.any(all), "no {words:?} in {run}");
}

/// Rows with all of one class first.
fn sorted(count: usize) -> Vec<Example> {
    let mut rows = samples::examples(count);
    rows.sort_by_key(|(_, class)| *class);
    rows
}

/// `rows.EXTENSION` with numbers for labels, named or not.
fn write(scratch: &Scratch, extension: &str, rows: &[Example], names: &[&str]) {
    let name = format!("rows.{extension}");
    if extension == "parquet" {
        let texts = rows.iter().map(|(text, _)| Some(text.as_str())).collect();
        let labels = rows.iter().map(|(_, class)| *class as i64);
        let labels: ArrayRef = Arc::new(Int64Array::from_iter_values(labels));
        return samples::parquet(&scratch.path(&name), texts, labels, names);
    }
    let label = |class: usize| names.get(class).map_or(class.to_string(), |n| (*n).into());
    let line = |(text, class): &Example| format!("\"{text}\",{}\n", label(*class));
    let lines: String = rows.iter().map(line).collect();
    scratch.write(&name, format!("text,label\n{lines}"));
}

#[test]
fn one_class_only() {
    for (extension, names) in [
        ("csv", &CLASSES[..]),
        ("csv", &[]),
        ("parquet", &CLASSES),
        ("parquet", &[]),
    ] {
        let scratch = Scratch::new();
        write(&scratch, extension, &sorted(64), names);
        let dataset = format!("rows.{extension}");
        // What a slice leaves, with other rows for validation or a share of these.
        let slices: [&[&str]; 2] = [
            &["--train-split", "train[:40%]"],
            &[
                "--train-split",
                "train[:40%]",
                "--validation-split",
                "train[40%:]",
            ],
        ];
        for slice in slices {
            let fixed = ["--dataset", &dataset, "--max-steps", "3"];
            let arguments = [&fixed[..], slice].concat();
            let run = scratch.train(&arguments);
            assert_eq!(run.code, Some(2), "{run}");
            assert!(
                run.stderr.contains("class") && run.stderr.contains("at least two"),
                "{run}"
            );
            assert!(!scratch.path("run").exists());
        }
        // The advice: the whole split, some rows of it.
        let advice = [
            "--dataset",
            &dataset,
            "--max-steps",
            "1",
            "--train-rows",
            "20",
        ];
        scratch.train(&advice).succeeded();
    }
}

#[test]
fn classes_without_a_training_row() {
    let scratch = Scratch::new();
    let rows = samples::examples(48);
    scratch.write("data/train.csv", samples::csv(&rows));
    let validation = samples::csv(&rows[..20]) + "so so,neutral\n";
    scratch.write("data/validation.csv", validation);
    scratch.write("data/test.csv", samples::csv(&rows[..20]));
    let run = scratch
        .train(&split("--dataset data --max-steps 1"))
        .succeeded();
    says(&run, &["no training row", "`neutral` (1 in validation)"]);
    says(
        &run,
        &[
            "no test row",
            "`neutral`",
            "macro averages",
            "all 3 classes",
        ],
    );
    let results = scratch.json("run/results.json");
    assert_eq!(results["validation"]["per_class"]["neutral"]["f1"], 0.0);
    // And so a model is evaluated.
    let run = scratch
        .run(&split("evaluate run/model --dataset data"))
        .succeeded();
    says(&run, &["no evaluated row", "`neutral`", "all 3 classes"]);
}

/// Names that no row has: an unused one of the file, and one too many of the user's.
#[test]
fn names_without_rows() {
    let scratch = Scratch::new();
    write(
        &scratch,
        "parquet",
        &samples::examples(48),
        &["neg", "pos", "unused"],
    );
    let run = scratch
        .train(&split("--dataset rows.parquet --max-steps 1"))
        .succeeded();
    says(&run, &["no row has class `unused`"]);
    says(&run, &["no validation row", "`unused`", "macro averages"]);

    let scratch = Scratch::new();
    let from_one: Vec<_> = samples::examples(48)
        .into_iter()
        .map(|(text, class)| (text, class + 1))
        .collect();
    write(&scratch, "csv", &from_one, &[]);
    let run = scratch
        .train(&split(
            "--dataset rows.csv --labels one,two,three --max-steps 1",
        ))
        .succeeded();
    says(
        &run,
        &[
            "no row has class `one`",
            "count from 0 (0 is \"one\"",
            "--labels 1,2 ",
        ],
    );
    // What it advises.
    let run = scratch.run(&split(
        "train --model run/model --dataset rows.csv --labels 1,2 --max-steps 1 --output on",
    ));
    assert!(!run.succeeded().stderr.contains("no row has"));
}

#[test]
fn a_rare_class_is_drawn_too() {
    let scratch = Scratch::new();
    let mut rows = samples::csv(&samples::examples(200));
    rows += "so so,rare\nneither nor,rare\nit is,rare\n";
    scratch.write("rows.csv", rows);
    let arguments = "--dataset rows.csv --train-rows 12 --eval-rows 8 --max-steps 1";
    // Some seed has it by chance; every seed has it.
    let mut said = 0;
    for seed in 0..3 {
        let output = format!("run{seed}");
        let model = crate::fixtures::path("tiny_bert");
        let line = format!(
            "train --model {} {arguments} --seed {seed} --output {output}",
            crate::command::argument(&model)
        );
        let run = scratch.run(&split(&line)).succeeded();
        let note = "12 of the 183 rows of train without 10% are drawn class by class";
        said += usize::from(run.stderr.contains(note));
        assert!(!run.stderr.contains("no training row"), "{run}");
        let events = scratch.json_lines(&format!("{output}/events.jsonl"));
        assert_eq!(events[0]["train_rows"], 12);
    }
    assert!(said > 0);
}

#[test]
fn labels_that_are_all_different() {
    for label in ["what the label of row N says", "N"] {
        let scratch = Scratch::new();
        let rows = samples::examples(64).into_iter().enumerate();
        let line = |(i, (text, _)): (usize, Example)| {
            format!("\"{text}\",{}\n", label.replace('N', &i.to_string()))
        };
        let lines: String = rows.map(line).collect();
        scratch.write("rows.csv", format!("text,label\n{lines}"));
        scratch.refuses_train(
            &["--dataset", "rows.csv"],
            &[
                "`label`",
                "64 classes in 64 rows",
                "is this the label column?",
                "--label-column",
            ],
        );
    }
}

/// A metric that no evaluation can have a value of.
#[test]
fn a_metric_without_a_value() {
    let scratch = Scratch::new();
    write(
        &scratch,
        "parquet",
        &samples::examples(48),
        &["neg", "pos", "unused"],
    );
    let early = ["--early-stopping-patience", "2"];
    let arguments = split("--dataset rows.parquet --metric-for-best-model roc_auc");
    scratch.refuses_train(
        &[&arguments[..], &early].concat(),
        &[
            "roc_auc",
            "not defined on these 5 validation rows",
            "`unused`",
            "--metric-for-best-model f1_macro",
        ],
    );
    scratch.refuses_train(
        &split("--dataset rows.parquet --metric-for-best-model top_3_accuracy"),
        &["top_3_accuracy", "more than 3 classes"],
    );
    // What it advises.
    scratch
        .train(&split(
            "--dataset rows.parquet --metric-for-best-model f1_macro --max-steps 1",
        ))
        .succeeded();

    let scratch = Scratch::new();
    let rows = samples::examples(40);
    let line = |(i, (text, _)): (usize, &Example)| {
        let score = if i < 30 { i as f64 / 7.0 } else { 1.5 };
        format!("\"{text}\",{score}\n")
    };
    let lines: String = rows.iter().enumerate().map(line).collect();
    scratch.write("rows.csv", format!("text,label\n{lines}"));
    let arguments = [
        "--dataset",
        "rows.csv",
        "--train-split",
        "train[:30]",
        "--validation-split",
        "train[30:]",
        "--metric-for-best-model",
        "pearson",
    ];
    scratch.refuses_train(&arguments, &["pearson", "not all the same", "mse"]);
}

/// A metric that has no value because of what the model says is counted, and waited out.
#[test]
fn a_metric_that_never_has_a_value() {
    let scratch = Scratch::new();
    // One class among the validation rows, which is all that the model ever says.
    let rows = samples::examples(200).into_iter();
    let positive: Vec<_> = rows.clone().filter(|(_, class)| *class == 1).collect();
    let negative = rows.filter(|(_, class)| *class == 0).take(2);
    let train = [positive.clone(), negative.collect()].concat();
    scratch.write("data/train.csv", samples::csv(&train));
    scratch.write("data/validation.csv", samples::csv(&positive[..10]));
    let run = scratch
        .train(&split(
            "--dataset data --epochs 9 --learning-rate 3e-3 --metric-for-best-model cohen_kappa \
             --early-stopping-patience 3 --json",
        ))
        .succeeded();
    says(&run, &["cohen_kappa has no value", "step 7; 1 so far"]);
    says(
        &run,
        &["cohen_kappa had no value in any of the 3 evaluations"],
    );
    let results = run.json();
    assert_eq!(results["train"]["steps"], 21);
    assert_eq!(results["train"]["stopped"], "early_stopping");
    assert!(results["best_step"].is_null());
}

/// Nobody loses rows unasked.
#[test]
fn all_rows_by_default() {
    let scratch = Scratch::new();
    let rows: Vec<_> = std::iter::repeat_n(samples::examples(200), 7)
        .flatten()
        .collect();
    scratch.write("rows.csv", samples::csv(&rows));
    scratch
        .train(&split("--dataset rows.csv --max-steps 1 --strategy head"))
        .succeeded();
    let events = scratch.json_lines("run/events.jsonl");
    assert_eq!(events[0]["train_rows"], 1260);
    assert_eq!(events[0]["validation_rows"], 140);
}
