//! `finetune evaluate` on models that `train` saved.

use crate::{
    command::{Scratch, argument, split},
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

/// Errors with their texts, calibration, metrics by name: of the rows of the file.
#[test]
fn details_on_request() {
    let scratch = Scratch::new();
    let rows = samples::examples(120);
    samples::write(&scratch.path("rows.csv"), &rows);
    let model = fixtures::path("tiny_bert");
    let evaluate = |options: &str| {
        let fixed = ["evaluate", argument(&model), "--dataset", "rows.csv"];
        scratch
            .run(&[&fixed, &split(options)[..]].concat())
            .succeeded()
    };
    let metrics = evaluate("--errors 7 --calibration --json").json();
    let errors = metrics["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 7);
    let mut before = 1.0;
    for error in errors {
        let (text, class) = &rows[error["row"].as_u64().unwrap() as usize];
        assert_eq!(error["text"], text.as_str());
        assert_eq!(error["label"], samples::CLASSES[*class]);
        assert_ne!(error["label"], error["prediction"]);
        let confidence = error["confidence"].as_f64().unwrap();
        assert!(confidence <= before);
        before = confidence;
        // As prediction says of the text alone.
        let alone = scratch
            .run(&["predict", "--model", argument(&model), "--json", text])
            .succeeded()
            .json();
        assert_eq!(alone["prediction"], error["prediction"]);
        assert!((alone["confidence"].as_f64().unwrap() - confidence).abs() < 1e-5);
    }
    let bins = metrics["reliability"].as_array().unwrap();
    let rows_of = |bin: &serde_json::Value| bin["count"].as_u64().unwrap();
    assert_eq!(bins.iter().map(rows_of).sum::<u64>(), 120);
    let gap = |bin: &serde_json::Value| {
        let number = |key: &str| bin[key].as_f64().unwrap();
        number("count") * (number("confidence") - number("accuracy")).abs()
    };
    let ece = bins.iter().map(gap).sum::<f64>() / 120.0;
    assert!((ece - metrics["ece"].as_f64().unwrap()).abs() < 1e-12);

    let text = evaluate("--errors 2 --calibration").stdout;
    for part in [
        "95 % bootstrap intervals: accuracy",
        "confidence  label",
        errors[0]["text"].as_str().unwrap(),
        "expected calibration error",
        "Brier score",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(
        !text.contains(errors[2]["text"].as_str().unwrap()),
        "{text}"
    );

    let chosen = evaluate("--metrics mcc,eval_top_2_accuracy --json").json();
    let names: Vec<_> = chosen.as_object().unwrap().keys().collect();
    assert_eq!(names, ["mcc", "top_2_accuracy"]);
    assert_eq!(chosen["mcc"], metrics["mcc"]);
    let lines = evaluate("--metrics mcc").stdout;
    assert_eq!(
        lines,
        format!("mcc  {:.4}\n", metrics["mcc"].as_f64().unwrap())
    );
}

/// A row number is the row's in its file, whatever was drawn or sliced, with its line, and with the
/// file where there are several.
#[test]
fn errors_say_where_their_rows_stand() {
    let scratch = Scratch::new();
    let rows = samples::examples(200);
    samples::write(&scratch.path("part-0.csv"), &rows[..120]);
    samples::write(&scratch.path("part-1.csv"), &rows[120..]);
    samples::write(&scratch.path("rows.parquet"), &rows);
    let model = fixtures::path("tiny_bert");
    let evaluate = |arguments: &[&str]| {
        let fixed = ["evaluate", argument(&model), "--errors", "9"];
        scratch.run(&[&fixed, arguments].concat()).succeeded()
    };
    for (dataset, options) in [
        ("part-0.csv", &["--split", "train[50:]"][..]),
        ("part-0.csv", &["--eval-rows", "40"]),
        (
            "part-0.csv",
            &["--split", "train[30:]", "--eval-rows", "40"],
        ),
        (
            "part-*.csv",
            &["--split", "train[50:]", "--eval-rows", "90"],
        ),
        (
            "rows.parquet",
            &["--split", "train[50:]", "--eval-rows", "90"],
        ),
    ] {
        let arguments = [&["--dataset", dataset], options].concat();
        let metrics = evaluate(&[&arguments[..], &["--json"]].concat()).json();
        let table = evaluate(&arguments).stdout;
        let errors = metrics["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 9);
        for error in errors {
            let file = error["file"].as_str().unwrap();
            let row = error["row"].as_u64().unwrap();
            let first = if file == "part-1.csv" { 120 } else { 0 };
            let (text, _) = &rows[first + row as usize];
            assert_eq!(error["text"], text.as_str(), "{error}");
            let place = match (dataset, error["line"].as_u64()) {
                ("rows.parquet", None) => format!("{row} "),
                ("part-*.csv", Some(line)) => format!("{file}, row {row} (line {line})"),
                (_, Some(line)) => format!("{row} (line {line})"),
                _ => panic!("no line: {error}"),
            };
            // A header, then a line each.
            assert!([None, Some(row + 2)].contains(&error["line"].as_u64()));
            let lines = table.lines().filter(|line| line.ends_with(text.as_str()));
            assert!(
                lines.into_iter().any(|line| line.contains(&place)),
                "no {place:?} in {table}"
            );
        }
    }
}

#[test]
fn errors_of_a_regression_are_the_largest() {
    let scratch = Scratch::new();
    scratch.write("rows.csv", "text,label\ngood,0.5\nbad,90\nwarm,-20.5\n");
    let model = fixtures::path("tiny_bert_regression");
    let fixed = ["evaluate", argument(&model), "--dataset", "rows.csv"];
    let metrics = scratch.run(&[&fixed[..], &["--errors", "2", "--json"]].concat());
    let errors = metrics.succeeded().json()["errors"].clone();
    assert_eq!([&errors[0]["row"], &errors[1]["row"]], [1, 2]);
    assert_eq!(errors[0]["label"], "90.0000");
    assert!(errors[0]["error"].as_f64().unwrap() > 80.0);
}

#[test]
fn refuses_what_it_cannot_print() {
    let scratch = Scratch::new();
    scratch.write("rows.csv", "text,label\ngood,positive\nbad,negative\n");
    scratch.write("rated.csv", "text,label\ngood,0.5\nbad,1.5\n");
    let classifier = fixtures::path("tiny_bert");
    let regression = fixtures::path("tiny_bert_regression");
    for (model, data, options, words) in [
        // Before any work: the data set is not there.
        (
            &classifier,
            "absent.csv",
            "--metrics acuracy",
            &["--metrics", "acuracy", "did you mean accuracy"][..],
        ),
        (
            &classifier,
            "rows.csv",
            "--metrics accuracy,mse",
            &["mse", "valid names are: loss, accuracy"],
        ),
        (
            &regression,
            "rated.csv",
            "--metrics f1_macro",
            &["f1_macro", "pearson"],
        ),
        (
            &regression,
            "rated.csv",
            "--calibration",
            &["--calibration", "regression"],
        ),
        (
            &regression,
            "rated.csv",
            "--find-thresholds --split train",
            &["--find-thresholds", "multi_label"],
        ),
        (
            &classifier,
            "rows.csv",
            "--find-thresholds",
            &["--find-thresholds", "multi_label"],
        ),
        (
            &classifier,
            "rows.csv",
            "--find-thresholds=best",
            &["best", "per-label, global"],
        ),
        (
            &classifier,
            "rows.csv",
            "--errors some",
            &["--errors", "some"],
        ),
    ] {
        let fixed = ["evaluate", argument(model), "--dataset", data];
        scratch.refuses(&[&fixed, &split(options)[..]].concat(), words);
    }
}

/// Rows held out are found by the settings of the training, from files that are read once; what is
/// noticed about them is said once, however many models look at them.
#[test]
fn each_note_once() {
    let scratch = Scratch::new();
    let rows = samples::csv(&samples::examples(80)).replacen(',', ";", 1);
    let rows: String = rows
        .lines()
        .map(|line| match line.rsplit_once(',') {
            Some((text, label)) => format!("{text};{label}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    scratch.write("rows.csv", rows);
    for (run, seed) in [("a", "1"), ("b", "2")] {
        let model = fixtures::path("tiny_bert");
        let line = [
            "train",
            "--model",
            argument(&model),
            "--dataset",
            "rows.csv",
            "--max-steps",
            "2",
            "--seed",
            seed,
            "--output",
            run,
        ];
        scratch.run(&line).succeeded();
    }
    for line in [
        "evaluate a/model",
        "evaluate a/model --split train",
        "evaluate a/model --split validation",
        "evaluate a/model b/model",
        "evaluate a/model b/model --split train[:30]",
        "evaluate b/model --dataset rows.csv --errors 3",
    ] {
        let run = scratch.run(&split(line)).succeeded();
        let notes: Vec<_> = run
            .stderr
            .lines()
            .filter(|l| l.starts_with("note: "))
            .collect();
        for note in &notes {
            assert_eq!(
                notes.iter().filter(|other| other == &note).count(),
                1,
                "{run}"
            );
        }
        let separated = notes
            .iter()
            .filter(|note| note.contains("are taken to be separated by"));
        assert_eq!(separated.count(), 1, "{run}");
        // Drawn by another seed, most of the rows held out from one model trained the other.
        let flattered = notes
            .iter()
            .filter(|note| note.contains("which overstates its results"))
            .count();
        let expected = match line {
            "evaluate a/model b/model" | "evaluate a/model --split train" => 1,
            "evaluate a/model b/model --split train[:30]" => 2,
            _ => 0,
        };
        assert_eq!(flattered, expected, "{line}: {run}");
    }
}
