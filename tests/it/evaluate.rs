//! `finetune evaluate` on models that `train` saved.

use crate::{
    command::{Scratch, split},
    fixtures, samples,
};

fn check(extension: &str, arguments: &[&str]) {
    let scratch = Scratch::new();
    samples::splits(&scratch, extension);
    let fixed = split("--dataset data --epochs 2 --json");
    let trained = scratch
        .train(&[&fixed[..], arguments].concat())
        .succeeded()
        .json();
    let evaluate = split("evaluate --model run/model --dataset data --json");
    let evaluated = scratch.run(&evaluate).succeeded().json();
    assert_eq!(evaluated, trained["test"]);

    let table = split("evaluate --model run/model --dataset data --split validation");
    let run = scratch.run(&table).succeeded();
    let headline = match trained["validation"]["accuracy"].as_f64() {
        Some(accuracy) => format!("accuracy {accuracy:.4}"),
        None => format!("mse {:.4}", trained["validation"]["mse"].as_f64().unwrap()),
    };
    assert!(run.stdout.contains(&headline), "no {headline:?} in: {run}");
}

#[test]
fn gives_the_test_metrics_that_training_reported() {
    check("csv", &[]);
    // The columns' class numbers are another order than the model's: names decide.
    check("parquet", &["--labels", "positive,negative"]);
}

#[test]
fn gives_the_test_metrics_of_a_regression() {
    let scratch = Scratch::new();
    let rows = samples::examples(100);
    for name in ["train", "validation", "test"] {
        let texts = rows.iter().map(|(text, _)| Some(text.as_str())).collect();
        let labels = samples::floats(
            rows.iter()
                .map(|(text, class)| *class as f64 + text.len() as f64 / 100.0),
        );
        samples::parquet(
            &scratch.path(&format!("{name}.parquet")),
            texts,
            labels,
            &[],
        );
    }
    let trained = scratch
        .train(&split("--dataset . --epochs 1 --json"))
        .succeeded()
        .json();
    let evaluate = split("evaluate --model run/model --dataset test.parquet --json");
    assert_eq!(scratch.run(&evaluate).succeeded().json(), trained["test"]);
}

#[test]
fn takes_as_many_rows_as_it_is_told() {
    let scratch = Scratch::new();
    scratch.write(
        "rows.csv",
        "text,label\ngood,positive\nbad,negative\ndull,neutral\n",
    );
    let model = fixtures::path("tiny_bert");
    let arguments = [
        "evaluate",
        "--model",
        model.to_str().unwrap(),
        "--dataset",
        "rows.csv",
        "--eval-rows",
        "2",
        "--json",
    ];
    let metrics = scratch.run(&arguments).succeeded().json();
    assert_eq!(metrics["rows"], 2);
    assert_eq!(metrics["confusion_matrix"].as_array().unwrap().len(), 3);
}

#[test]
fn refuses_rows_that_do_not_fit_the_model() {
    let scratch = Scratch::new();
    let classifier = fixtures::path("tiny_bert");
    let regression = fixtures::path("tiny_bert_regression");
    scratch.write("other.csv", "text,label\ngood,positive\nbad,hopeless\n");
    scratch.write("stars.csv", "text,label\ngood,4.5\nbad,1.5\n");
    scratch.write("none.csv", "text\ngood\n");
    for (model, data, words) in [
        (
            &classifier,
            "other.csv",
            &[
                "other.csv, row 1 (line 3)",
                "\"hopeless\"",
                "negative, neutral, positive",
            ][..],
        ),
        (
            &classifier,
            "stars.csv",
            &["stars.csv, row 0 (line 2)", "4.5"],
        ),
        (
            &regression,
            "other.csv",
            &["other.csv, row 0 (line 2)", "\"positive\"", "number"],
        ),
        (
            &classifier,
            "none.csv",
            &["--label-column", "text (string)"],
        ),
    ] {
        let arguments = [
            "evaluate",
            "--model",
            model.to_str().unwrap(),
            "--dataset",
            data,
        ];
        scratch.refuses(&arguments, words);
    }
    let fixed = [
        "evaluate",
        "--model",
        classifier.to_str().unwrap(),
        "--dataset",
        "other.csv",
    ];
    for (arguments, words) in [
        (&["--split", "tset"][..], &["tset", "train"][..]),
        (&["--split", "train[2:]"], &["train[2:]", "selects nothing"]),
        (&["--batch-size", "0"], &["--batch-size"]),
        (&["--device", "gpu"], &["gpu", "auto, cpu"]),
        (&["--max-length", "1"], &["1"]),
    ] {
        scratch.refuses(&[&fixed[..], arguments].concat(), words);
    }
}
