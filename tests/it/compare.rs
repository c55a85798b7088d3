//! `finetune evaluate A B`: two models on the same rows.

use serde_json::Value;

use crate::{
    command::{Scratch, argument, split},
    fixtures, samples,
};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

/// A model after one step and one that knows the words, its classes in the other order.
fn two_classifiers() -> Scratch {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    for (output, options) in [
        ("early", "--max-steps 1"),
        (
            "late",
            "--epochs 20 --learning-rate 3e-3 --labels positive,negative",
        ),
    ] {
        let mut arguments = split("train --dataset data");
        arguments.extend([
            "--test-split",
            "",
            "--output",
            output,
            "--model",
            argument(&model),
        ]);
        arguments.extend(split(options));
        scratch.run(&arguments).succeeded();
    }
    scratch
}

#[test]
fn classifiers() {
    let scratch = two_classifiers();
    let evaluate = |models: &[&str], options: &str| {
        let fixed = split("--dataset data --split train");
        let arguments = [&["evaluate"], models, &fixed, &split(options)].concat();
        scratch.run(&arguments).succeeded()
    };
    let both = evaluate(&["early/model", "late/model"], "--json").json();
    assert_eq!(both["models"][1], "late/model");
    for (key, model) in [("a", "early/model"), ("b", "late/model")] {
        assert_eq!(evaluate(&[model], "--json").json(), both[key], "{key}");
        let old = evaluate(&["--model", model], "--json").json();
        assert_eq!(old, both[key], "{key}");
    }
    for metric in ["accuracy", "f1_macro", "loss", "confidence"] {
        let difference = number(&both["b"][metric]) - number(&both["a"][metric]);
        let change = &both["change"][metric];
        assert!((number(&change["change"]) - difference).abs() < 1e-12);
        if metric != "loss" && metric != "confidence" {
            let (low, high) = (number(&change["low"]), number(&change["high"]));
            assert!(low < difference && difference < high, "{change}");
            let interval = &both["b"]["confidence_intervals"][metric];
            let value = number(&both["b"][metric]);
            assert!(number(&interval["low"]) <= value && value <= number(&interval["high"]));
        }
    }
    let test = &both["mcnemar"];
    let count = |key: &str| number(&test[key]);
    assert_eq!(
        count("both") + count("only_a") + count("only_b") + count("neither"),
        160.0
    );
    let right = |key: &str| (number(&both[key]["accuracy"]) * 160.0).round();
    assert_eq!(count("both") + count("only_a"), right("a"));
    assert_eq!(count("both") + count("only_b"), right("b"));
    assert!(count("p_value") < 1e-6, "{test}");

    let text = evaluate(&["early/model", "late/model"], "").stdout;
    for part in [
        "A  early/model",
        "B  late/model",
        "change  95 % interval",
        "accuracy",
        "average confidence",
        "McNemar's test",
        "B is significantly better",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    let text = evaluate(&["late/model", "late/model"], "--metrics mcc,accuracy").stdout;
    for part in ["mcc", "+0.0000", "p = 1.0000", "equally many errors"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(!text.contains("average confidence"), "{text}");
}

#[test]
fn regressions() {
    let scratch = Scratch::new();
    let rows = samples::examples(200);
    let row = |(text, class): &samples::Example| format!("\"{text}\",{}.5\n", 3 * class);
    let rows: String = rows.iter().map(row).collect();
    scratch.write("rated.csv", format!("text,label\n{rows}"));
    for (output, options) in [
        ("early", "--max-steps 1"),
        ("late", "--epochs 20 --learning-rate 3e-3"),
    ] {
        let model = fixtures::path("tiny_bert");
        let mut arguments = vec!["train", "--model", argument(&model), "--output", output];
        arguments.extend(split("--dataset rated.csv"));
        arguments.extend(split(options));
        scratch.run(&arguments).succeeded();
    }
    let line = "evaluate early/model late/model --dataset rated.csv";
    let both = scratch
        .run(&split(&format!("{line} --json")))
        .succeeded()
        .json();
    let change = &both["change"]["mse"];
    let difference = number(&both["b"]["mse"]) - number(&both["a"]["mse"]);
    assert!((number(&change["change"]) - difference).abs() < 1e-12);
    assert!(number(&change["low"]) < difference && difference < number(&change["high"]));
    assert!(number(&change["high"]) < 0.0, "{change}");
    assert_eq!(both.get("mcnemar"), None);
    let run = scratch.run(&split(line)).succeeded();
    for part in ["Paired bootstrap", "B's errors are significantly smaller"] {
        assert!(run.stdout.contains(part), "{run}");
    }
}

#[test]
fn refuses_models_that_cannot_be_compared() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let three = fixtures::path("tiny_bert");
    let numbers = fixtures::path("tiny_bert_regression");
    let model = argument(&three);
    let trained = [
        "train",
        "--model",
        model,
        "--dataset",
        "data",
        "--max-steps",
        "1",
        "--output",
        "two",
    ];
    scratch.run(&trained).succeeded();
    let data = split("--dataset data");
    for (models, words) in [
        (
            &["two/model", model][..],
            &[
                "same labels",
                "two/model is for single_label_classification (negative, positive)",
                "neutral",
            ][..],
        ),
        (
            &["two/model", argument(&numbers)],
            &["same labels", "single_label_classification", "regression"],
        ),
        (
            &["two/model", "two/model", "two/model"],
            &["one model, or two"],
        ),
        (&["two/model", "--model", "two/model"], &["--model"]),
        (&[], &["MODEL"]),
        (
            &["two/model", "two/model", "--find-thresholds"],
            &["one model"],
        ),
        (&["two/model", "none/model"], &["none/model"]),
    ] {
        scratch.refuses(&[&["evaluate"], models, &data].concat(), words);
    }
}
