//! Matching the class names of a model, those of a file, and those given with `--labels`.

use std::sync::Arc;

use finetune_data::arrow::array::{ArrayRef, Int64Array};
use serde_json::{Value, json};

use crate::{
    command::{Run, Scratch, argument, split},
    samples::{self, CLASSES},
};

/// A model of two classes, good enough that a wrong name shows, in `run/model`, and its data.
fn trained(options: &str) -> Scratch {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let fixed = "--dataset data --learning-rate 3e-3 --epochs 4";
    scratch
        .train(&split(&format!("{fixed} {options}")))
        .succeeded();
    scratch
}

/// The rows of `data/test.csv` in a Parquet file, its classes called `names`, of which the first
/// stands for `first`.
fn parquet(scratch: &Scratch, name: &str, first: usize, names: &[&str]) {
    let rows = &samples::examples(200)[180..];
    let texts = rows.iter().map(|(text, _)| Some(text.as_str())).collect();
    let labels = rows.iter().map(|(_, class)| i64::from(*class != first));
    let labels: ArrayRef = Arc::new(Int64Array::from_iter_values(labels));
    samples::parquet(&scratch.path(name), texts, labels, names);
}

fn evaluate(scratch: &Scratch, options: &str) -> Run {
    let fixed = split("evaluate run/model --json --dataset");
    scratch.run(&[&fixed[..], &split(options)].concat())
}

fn accuracy(run: &Run) -> f64 {
    run.json()["accuracy"].as_f64().unwrap()
}

#[track_caller]
fn says(run: &Run, words: &[&str]) {
    let notes: Vec<_> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("note: "))
        .collect();
    let all = |line: &&&str| words.iter().all(|word| line.contains(word));
    assert!(notes.iter().any(|line| all(&line)), "no {words:?} in {run}");
}

#[track_caller]
fn says_nothing(run: &Run) {
    assert!(!run.stderr.contains("note: "), "{run}");
}

/// Names in another order, another case, with blanks, without any: each row is held against the class
/// that it has, or nothing is said of it.
#[test]
fn a_model_on_data_with_other_names() {
    let scratch = trained("");
    let clean = evaluate(&scratch, "data/test.csv").succeeded();
    says_nothing(&clean);
    let right = accuracy(&clean);
    assert!(right > 0.7, "{clean}");

    parquet(&scratch, "same.parquet", 0, &CLASSES);
    parquet(&scratch, "order.parquet", 1, &["positive", "negative"]);
    for file in ["same.parquet", "order.parquet"] {
        let run = evaluate(&scratch, file).succeeded();
        assert_eq!(accuracy(&run), right, "{run}");
        says_nothing(&run);
    }
    parquet(&scratch, "case.parquet", 1, &["POSITIVE", " Negative"]);
    let run = evaluate(&scratch, "case.parquet").succeeded();
    assert_eq!(accuracy(&run), right, "{run}");
    says(
        &run,
        &["`label`", "ignoring case", "\"POSITIVE\" is \"positive\""],
    );

    parquet(&scratch, "other.parquet", 1, &["good", "bad"]);
    let refused = split("evaluate run/model --dataset other.parquet");
    scratch.refuses(
        &refused,
        &[
            "(good, bad)",
            "(negative, positive)",
            "--labels-by-position",
        ],
    );
    // The advice holds: the user says that the first is the first.
    parquet(&scratch, "other.parquet", 0, &["bad", "good"]);
    let run = evaluate(&scratch, "other.parquet --labels-by-position").succeeded();
    assert_eq!(accuracy(&run), right, "{run}");
    says(&run, &["by position", "\"bad\" is \"negative\""]);

    // Numbers without names, of a file and of a column of text.
    parquet(&scratch, "numbers.parquet", 0, &[]);
    let rows = samples::examples(200);
    let line = |(text, class): &samples::Example| format!("\"{text}\",{class}\n");
    let lines: String = rows[180..].iter().map(line).collect();
    scratch.write("numbers.csv", format!("text,label\n{lines}"));
    for file in ["numbers.parquet", "numbers.csv"] {
        let run = evaluate(&scratch, file).succeeded();
        assert_eq!(accuracy(&run), right, "{run}");
        says(&run, &["by number", "0 is \"negative\", 1 is \"positive\""]);
    }
    let upper = samples::csv(&rows[180..]).replace(",negative\n", ",NEGATIVE \n");
    scratch.write("upper.csv", upper);
    let run = evaluate(&scratch, "upper.csv").succeeded();
    assert_eq!(accuracy(&run), right, "{run}");
    says(&run, &["\"NEGATIVE \" is \"negative\"", "upper.csv, row "]);
}

/// A model without names takes numbers by number; named classes too, which is said.
#[test]
fn a_model_without_names() {
    let scratch = trained("");
    let right = accuracy(&evaluate(&scratch, "data/test.csv").succeeded());
    rename(&scratch, "run/model", &["LABEL_0", "LABEL_1"]);
    parquet(&scratch, "numbers.parquet", 0, &[]);
    let run = evaluate(&scratch, "numbers.parquet").succeeded();
    assert_eq!(accuracy(&run), right);
    says_nothing(&run);
    parquet(&scratch, "named.parquet", 0, &CLASSES);
    let run = evaluate(&scratch, "named.parquet").succeeded();
    assert_eq!(accuracy(&run), right);
    says(&run, &["by number", "\"negative\" is \"LABEL_0\""]);
    // Text has no number.
    scratch.refuses(
        &split("evaluate run/model --dataset data/test.csv"),
        &["test.csv, row 0", "LABEL_0, LABEL_1"],
    );
}

/// Gives a saved model other names.
fn rename(scratch: &Scratch, directory: &str, names: &[&str]) {
    let file = format!("{directory}/config.json");
    let mut config = scratch.json(&file);
    let numbered = names.iter().enumerate();
    let id2label = numbered.map(|(id, name)| (id.to_string(), json!(name)));
    config["id2label"] = Value::Object(id2label.collect());
    scratch.write(&file, config.to_string());
}

/// Logits of some texts, `[texts][outputs]`.
fn logits(scratch: &Scratch, model: &str) -> Vec<Vec<f64>> {
    let texts = ["the film was bad .", "a warm story", "it is fun"];
    let fixed = ["predict", "--model", model, "--json"];
    let run = scratch.run(&[&fixed, &texts[..]].concat()).succeeded();
    let row = |line: Value| {
        let logits = line["logits"].as_array().unwrap().iter();
        logits.map(|value| value.as_f64().unwrap()).collect()
    };
    run.json_lines().into_iter().map(row).collect()
}

fn swapped(logits: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let rows = logits.iter();
    rows.map(|row| row.iter().rev().copied().collect())
        .collect()
}

/// Goes on from `run/model` without training anything, into `on`.
fn go_on(scratch: &Scratch, output: &str, options: &str) -> Run {
    let fixed = "train --model run/model --strategy features --output";
    scratch
        .run(&split(&format!("{fixed} {output} {options}")))
        .succeeded()
}

#[test]
fn a_head_is_kept_in_whatever_order() {
    let scratch = trained("");
    let before = logits(&scratch, "run/model");

    let run = go_on(&scratch, "same", "--dataset data");
    says_nothing(&run);
    assert_eq!(logits(&scratch, "same/model"), before);

    let run = go_on(
        &scratch,
        "order",
        "--dataset data --labels positive,negative",
    );
    says_nothing(&run);
    assert!(!run.stderr.contains("new weights"), "{run}");
    assert_eq!(logits(&scratch, "order/model"), swapped(&before));
    let config = scratch.json("order/model/config.json");
    assert_eq!(
        config["id2label"],
        json!({"0": "positive", "1": "negative"})
    );

    let run = go_on(
        &scratch,
        "case",
        "--dataset data --labels Positive,NEGATIVE",
    );
    says(&run, &["head is kept", "\"Positive\" is \"positive\""]);
    says(&run, &["`label`", "\"negative\" is \"NEGATIVE\" (first in"]);
    assert_eq!(logits(&scratch, "case/model"), swapped(&before));
}

/// A run's head for other labels is not given up unasked: the message has both lists of names and the
/// ways out, each of which works as it is typed.
#[test]
fn other_labels_need_a_new_head() {
    let scratch = trained("");
    let before = logits(&scratch, "run/model");
    let rows = samples::csv(&samples::examples(60));
    let rows = rows.replace(",negative\n", ",bad\n");
    scratch.write("other.csv", rows.replace(",positive\n", ",good\n"));
    scratch.refuses(
        &split("train --model run --dataset other.csv --output fresh"),
        &[
            "run/model",
            "(bad, good)",
            "(negative, positive)",
            "--labels-by-position",
            "--reset-head",
        ],
    );
    let run = go_on(&scratch, "fresh", "--dataset other.csv --reset-head");
    assert!(!run.stderr.contains("reinitialized"), "{run}");
    let new = "new weights: classifier.weight, classifier.bias";
    assert!(run.stderr.contains(new), "{run}");
    assert_ne!(logits(&scratch, "fresh/model"), before);
    // The tokenizer comes along.
    let file = "tokenizer.json";
    assert!(
        scratch.read(&format!("fresh/model/{file}")) == scratch.read(&format!("run/model/{file}"))
    );

    let run = go_on(&scratch, "kept", "--dataset other.csv --labels-by-position");
    says(
        &run,
        &["head is kept", "by position", "\"bad\" is \"negative\""],
    );
    assert_eq!(logits(&scratch, "kept/model"), before);

    // A class more, a class less, another task.
    let more = rows.replacen(",positive\n", ",mixed\n", 20);
    scratch.write("more.csv", more);
    scratch.refuses(
        &split("train --model run --dataset more.csv --output more"),
        &["bad, mixed, positive", "negative, positive", "--reset-head"],
    );
    go_on(&scratch, "more", "--dataset more.csv --reset-head");
    scratch.refuses(
        &split("train --model more --dataset data --output less --labels negative,positive"),
        &["bad, mixed, positive", "negative, positive", "--reset-head"],
    );
    let scores: String = (0..60).map(|row| format!("a film,{row}.5\n")).collect();
    scratch.write("scores.csv", format!("text,score\n{scores}"));
    scratch.refuses(
        &split("train --model run --dataset scores.csv --output scores --label-column score"),
        &["regression (score)", "(negative, positive)", "--reset-head"],
    );

    // The same labels: a new head all the same.
    let run = go_on(&scratch, "reset", "--dataset data --reset-head");
    assert!(run.stderr.contains(new), "{run}");
    assert_ne!(logits(&scratch, "reset/model"), before);
    // Numbers have no names that could be others.
    let numbers = rows
        .replace(",bad\n", ",0\n")
        .replace(",positive\n", ",1\n");
    scratch.write("numbered.csv", numbers);
    let run = go_on(&scratch, "numbered", "--dataset numbered.csv");
    says(&run, &["reinitialized", "(0, 1)", "(negative, positive)"]);
}

/// A classifier that this program has not trained: its head is kept by name alone, in whatever order and
/// spelling, and a new one is announced. Equal numbers of classes are no reason to keep it.
#[test]
fn the_head_of_a_model_from_elsewhere() {
    let scratch = trained("");
    std::fs::remove_file(scratch.path("run/model/finetune.json")).unwrap();
    let before = logits(&scratch, "run/model");
    let other = samples::csv(&samples::examples(60));
    let other = other.replace(",negative\n", ",bad\n");
    scratch.write("part.csv", &other);
    scratch.write("other.csv", other.replace(",positive\n", ",good\n"));

    let run = go_on(
        &scratch,
        "order",
        "--dataset data --labels positive,negative",
    );
    says_nothing(&run);
    assert_eq!(logits(&scratch, "order/model"), swapped(&before));
    let run = go_on(
        &scratch,
        "case",
        "--dataset data --labels POSITIVE,Negative",
    );
    says(&run, &["head is kept", "\"POSITIVE\" is \"positive\""]);
    assert_eq!(logits(&scratch, "case/model"), swapped(&before));
    for (output, data, names) in [
        ("other", "other.csv", "(bad, good)"),
        // One name in common does not make the other the same.
        ("part", "part.csv", "(bad, positive)"),
    ] {
        let run = go_on(&scratch, output, &format!("--dataset {data}"));
        says(&run, &["reinitialized", names, "(negative, positive)"]);
        assert!(run.stderr.contains("new weights: classifier"), "{run}");
        assert_ne!(logits(&scratch, &format!("{output}/model")), before);
    }
    // Names that nobody gave are not those of the data.
    rename(&scratch, "run/model", &["LABEL_0", "LABEL_1"]);
    let run = go_on(&scratch, "unnamed", "--dataset data");
    says(
        &run,
        &[
            "reinitialized",
            "(negative, positive)",
            "(LABEL_0, LABEL_1)",
        ],
    );
    assert_ne!(logits(&scratch, "unnamed/model"), before);
    // The labels of a row with several are another task, whatever they are called.
    rename(&scratch, "run/model", &["negative", "positive"]);
    let several = "--dataset data --problem-type multi_label --label-separator ;";
    let run = go_on(&scratch, "several", several);
    says(&run, &["reinitialized", "multi_label_classification"]);
}

/// The encoder goes over to other labels, and a run that was interrupted resumes with the head that it
/// had, not another new one.
#[test]
fn a_transfer_is_resumed() {
    let scratch = trained("");
    let rows = samples::csv(&samples::examples(60));
    let rows = rows.replacen(",positive\n", ",mixed\n", 20);
    scratch.write("more.csv", rows);
    let line = |output: &str| {
        let fixed =
            "train --model run --reset-head --dataset more.csv --max-steps 4 --save-steps 2";
        let run = scratch.run(&split(&format!("{fixed} --output {output}")));
        run.succeeded();
    };
    line("whole");
    line("half");
    // As if the session had been killed after step 2.
    for gone in ["results.json", "model", "checkpoints/step-000004"] {
        let gone = scratch.path("half").join(gone);
        let _ = std::fs::remove_dir_all(&gone);
        let _ = std::fs::remove_file(&gone);
    }
    let run = scratch.run(&split("resume half")).succeeded();
    assert!(run.stderr.contains("after step 2"), "{run}");
    let read = |run: &str| scratch.read(&format!("{run}/model/model.safetensors"));
    assert!(read("whole") == read("half"));
    scratch.run(&split("replay whole")).succeeded();
}

#[test]
fn a_head_without_names_meets_numbers() {
    let scratch = trained("");
    let before = logits(&scratch, "run/model");
    rename(&scratch, "run/model", &["LABEL_0", "LABEL_1"]);
    let rows = samples::examples(60);
    let line = |(text, class): &samples::Example| format!("\"{text}\",{class}\n");
    let lines: String = rows.iter().map(line).collect();
    scratch.write("numbers.csv", format!("text,label\n{lines}"));
    let run = go_on(&scratch, "numbers", "--dataset numbers.csv");
    says(&run, &["head is kept", "by number", "\"0\" is \"LABEL_0\""]);
    assert_eq!(logits(&scratch, "numbers/model"), before);
}

/// The same for an adapter's head: kept in another order, drawn anew for other classes.
#[test]
fn an_adapters_head() {
    let scratch = trained("--strategy lora");
    let before = logits(&scratch, "run/model");
    // The only step of a warm-up changes nothing.
    let on = |output: &str, options: &str| {
        let fixed = format!(
            "train --adapter run/model --max-steps 1 --warmup-ratio 1 --weight-decay 0 --output {output} {options}"
        );
        scratch.run(&split(&fixed)).succeeded()
    };
    let run = on("order", "--dataset data --labels positive,negative");
    says_nothing(&run);
    let after = logits(&scratch, "order/model");
    for (row, expected) in after.iter().zip(swapped(&before)) {
        for (value, expected) in row.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-5, "{after:?} {before:?}");
        }
    }
    let rows = samples::csv(&samples::examples(60)).replacen(",positive\n", ",mixed\n", 20);
    scratch.write("more.csv", rows);
    scratch.refuses(
        &split("train --adapter run/model --dataset more.csv --output more"),
        &["run/model", "mixed", "(negative, positive)", "--reset-head"],
    );
    let run = on("more", "--dataset more.csv --reset-head");
    says_nothing(&run);
    assert!(run.stderr.contains("new weights: classifier"), "{run}");
    assert_eq!(logits(&scratch, "more/model")[0].len(), 3);
}

/// Numbers of a regression by name, whatever the order of the columns.
#[test]
fn several_numbers_in_another_order() {
    let scratch = Scratch::new();
    let rows = samples::examples(60);
    let line = |(text, class): &samples::Example| {
        let (warmth, length) = (*class as f64 - 0.5, text.len() as f64 / 40.0);
        json!({"text": text, "warmth": warmth, "length": length}).to_string() + "\n"
    };
    scratch.write("rows.jsonl", rows.iter().map(line).collect::<String>());
    let first = "--dataset rows.jsonl --label-column warmth,length --epochs 1 --learning-rate 1e-3";
    scratch.train(&split(first)).succeeded();
    let before = logits(&scratch, "run/model");
    let other = "--dataset rows.jsonl --label-column length,warmth";
    let run = go_on(&scratch, "on", other);
    says_nothing(&run);
    assert_eq!(logits(&scratch, "on/model"), swapped(&before));
}

/// `--labels` against the names of a file: any order and case, and by position only when that is said;
/// the plan keeps it.
#[test]
fn labels_given_for_a_file_with_names() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "parquet");
    let train = |output: &str, options: &str| {
        let fixed = format!("train --dataset data --max-steps 2 --output {output} {options}");
        let model = crate::fixtures::path("tiny_bert");
        let model = ["--model", argument(&model)];
        scratch.run(&[&split(&fixed)[..], &model].concat())
    };
    let run = train("case", "--labels POSITIVE,NEGATIVE").succeeded();
    says(&run, &["`label`", "\"negative\" is \"NEGATIVE\""]);
    let plain = train("plain", "--labels positive,negative").succeeded();
    assert!(!plain.stderr.contains("matched"), "{plain}");
    // The same classes, so the same run.
    let loss = |run: &str| scratch.json(&format!("{run}/results.json"))["train"]["loss"].clone();
    assert_eq!(loss("case"), loss("plain"));

    let refused = train("refused", "--labels bad,good");
    refused.refused(&[
        "(negative, positive)",
        "(bad, good)",
        "--labels-by-position",
    ]);
    let run = train("position", "--labels bad,good --labels-by-position").succeeded();
    says(&run, &["by position", "\"negative\" is \"bad\""]);
    let plan = String::from_utf8(scratch.read("position/plan.toml")).unwrap();
    assert!(plan.contains("labels_by_position = true"), "{plan}");
    scratch.run(&["replay", "position"]).succeeded();
}

/// Of `merge`: folders on the way to the output are made, and what is there is left alone, also a link
/// that leads nowhere.
#[cfg(unix)]
#[test]
fn a_merged_model_goes_where_nothing_is() {
    let scratch = trained("--strategy lora");
    scratch
        .run(&split("merge run/model --output new/folder/merged"))
        .succeeded();
    assert!(scratch.path("new/folder/merged/model.safetensors").exists());
    std::os::unix::fs::symlink("nowhere", scratch.path("link")).unwrap();
    scratch.write("file", "");
    for (output, words) in [
        ("link", ["link already exists", "--output"]),
        ("file/merged", ["cannot make file", ""]),
    ] {
        scratch.refuses(&["merge", "run/model", "--output", output], &words);
    }
    let adapter = scratch.path("run/model/adapter_model.safetensors");
    std::fs::remove_file(&adapter).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &adapter).unwrap();
    for command in [
        "merge run/model --output merged",
        "predict --model run/model text",
        "train --adapter run/model --dataset data --output on",
    ] {
        let words = ["adapter_model.safetensors", "a device"];
        scratch.refuses(&split(command), &words);
    }
}

/// A name twice is refused wherever a model is opened, and where names are given.
#[test]
fn a_name_twice() {
    let scratch = trained("--strategy lora");
    rename(&scratch, "run/model", &["same", "same"]);
    let words = &["config.json", "id2label", "0 and 1", "\"same\""];
    for command in [
        "predict --model run/model text",
        "evaluate run/model --dataset data",
        "merge run/model --output merged",
        "inspect run/model",
        "train --adapter run/model --dataset data --output on",
    ] {
        scratch.refuses(&split(command), words);
    }
    let model = scratch.copy_model("tiny_bert");
    rename(&scratch, "model", &["a", "b", "a"]);
    for command in [
        "predict --model model text",
        "evaluate model --dataset data",
        "inspect model",
        "train --model model --dataset data --output on",
    ] {
        let run = scratch.run(&split(command));
        run.refused(&["config.json", "id2label", "0 and 2", "\"a\""]);
    }
    // A run whose base model has become one of these.
    let plan = String::from_utf8(scratch.read("run/plan.toml")).unwrap();
    let base = crate::fixtures::path("tiny_bert");
    let plan = plan.replace(argument(&base), argument(&model));
    scratch.write("run/plan.toml", plan);
    std::fs::remove_file(scratch.path("run/results.json")).unwrap();
    scratch.run(&["resume", "run"]).refused(&[]);
    for command in [
        "train --model model --dataset data --labels a,a --output on",
        "inspect model --labels a,b,a",
    ] {
        let run = scratch.run(&split(command));
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.stderr.contains("\"a\""), "{run}");
    }
}
