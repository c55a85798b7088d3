//! `finetune predict`: inputs and outputs.

use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
    sync::mpsc,
    thread,
    time::Duration,
};

use finetune_data::{
    Dataset,
    arrow::{array::AsArray, datatypes::Float32Type},
};
use serde_json::Value;

use crate::{
    command::{Run, Scratch, argument, split},
    fixtures, tolerance,
};

const TEXTS: [&str; 3] = ["the film was great .", "a dull, slow plot", "warm"];

fn predict(arguments: &[&str]) -> Vec<String> {
    let model = fixtures::path("tiny_bert");
    let fixed = ["predict", "--model", argument(&model)];
    fixed
        .iter()
        .chain(arguments)
        .map(|word| word.to_string())
        .collect()
}

fn borrowed(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

fn number(value: &Value) -> f32 {
    value.as_f64().unwrap() as f32
}

/// Texts with the logits that transformers gave them, through the tokenizer's files.
#[test]
fn logits_are_those_of_transformers() {
    for model in ["tiny_bert", "tiny_distilbert", "tiny_bert_regression"] {
        let directory = fixtures::path(model);
        let text = std::fs::read_to_string(directory.join("texts.jsonl")).unwrap();
        let expected: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let (pairs, singles): (Vec<_>, Vec<_>) = expected
            .into_iter()
            .partition(|row| row.get("text_pair").is_some());
        let columns = ["--text-column", "text", "--text-column", "text_pair"];
        for (rows, columns) in [(singles, &columns[..2]), (pairs, &columns[..])] {
            let scratch = Scratch::new();
            let lines = rows.iter().map(|row| format!("{row}\n"));
            scratch.write("texts.jsonl", lines.collect::<String>());
            let fixed = [
                "predict",
                "--model",
                argument(&directory),
                "--file",
                "texts.jsonl",
                "--json",
                "--batch-size",
                "3",
                "--precision",
                "f32",
            ];
            let predictions = scratch
                .run(&[&fixed, columns].concat())
                .succeeded()
                .json_lines();
            assert_eq!(predictions.len(), rows.len());
            for (prediction, row) in predictions.iter().zip(&rows) {
                let logits = |value: &Value| -> Vec<f32> {
                    value["logits"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(number)
                        .collect()
                };
                let difference = fixtures::largest_difference(&logits(prediction), &logits(row));
                assert!(difference < tolerance::LOGITS, "{row}: {difference}");
                assert_eq!(prediction["text"], row["text"]);
                assert_eq!(prediction.get("label"), row.get("label"));
            }
        }
    }
}

/// The same texts and labels, and logits but for their last bits.
#[track_caller]
fn same_predictions(found: &[Value], expected: &[Value]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        for key in ["text", "label"] {
            assert_eq!(found[key], expected[key]);
        }
        let logits = |line: &Value| -> Vec<f32> {
            let logits = line["logits"].as_array().unwrap().iter();
            logits.map(number).collect()
        };
        let difference = fixtures::largest_difference(&logits(found), &logits(expected));
        assert!(difference < 1e-5, "{found} {expected}");
    }
}

/// Texts of 1 to 40 words, no two neighbours of the same length.
fn uneven_texts(count: usize) -> Vec<String> {
    let words = ["good", "film", "dull", "plot", "warm", "story", "slow"];
    let text = |number: usize| {
        let length = 1 + number * 17 % 40;
        let words = (0..length).map(|word| words[(number + word * word) % words.len()]);
        words.collect::<Vec<_>>().join(" ")
    };
    (0..count).map(text).collect()
}

/// Texts are computed with others of their length, and come out in their own order.
#[test]
fn in_the_order_of_the_texts_whatever_their_lengths() {
    let scratch = Scratch::new();
    let texts = uneven_texts(300);
    scratch.write("texts.txt", texts.join("\n"));
    let lines = |options: &str| {
        let options = split(options);
        let arguments = predict(&[&["--json", "--file", "texts.txt"], &options[..]].concat());
        scratch.run(&borrowed(&arguments)).succeeded()
    };
    let alone = lines("--batch-size 1");
    let found: Vec<_> = alone.json_lines();
    let found: Vec<_> = found
        .iter()
        .map(|line| line["text"].as_str().unwrap())
        .collect();
    assert_eq!(found, texts);
    // A chunk of 64 rows, of 224, of all.
    for options in ["--batch-size 2", "--batch-size 7", ""] {
        let together = lines(options);
        same_predictions(&together.json_lines(), &alone.json_lines());
        assert_eq!(lines(options).stdout, together.stdout, "{options:?}");
    }
}

/// Somebody who waits for each answer before the next line, as at a terminal.
#[test]
fn a_line_is_answered_before_the_next_one_comes() {
    let scratch = Scratch::new();
    let arguments = predict(&["--json"]);
    let mut child = scratch
        .command(&borrowed(&arguments))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (send, answers) = mpsc::channel();
    thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .try_for_each(|line| send.send(line))
    });
    for text in TEXTS {
        writeln!(input, "{text}").unwrap();
        let answer = answers.recv_timeout(Duration::from_secs(60));
        let Ok(answer) = answer else {
            child.kill().unwrap();
            panic!("no answer to {text:?}");
        };
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["text"], text);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    assert!(answers.recv().is_err());
}

#[test]
fn rows_before_one_that_cannot_be_read_are_predicted() {
    let scratch = Scratch::new();
    let good = TEXTS.map(|text| format!("{text}\n")).concat();
    scratch.write("latin.txt", [good.as_bytes(), b"caf\xe9\nnever\n"].concat());
    let arguments = predict(&["--json", "--file", "latin.txt"]);
    let run = scratch.run(&borrowed(&arguments));
    run.failed(2, &["latin.txt, row 3 (line 4)", "UTF-8"]);
    let found = run.json_lines();
    let found: Vec<_> = found
        .iter()
        .map(|line| line["text"].as_str().unwrap())
        .collect();
    assert_eq!(found, TEXTS);
}

#[test]
fn says_how_fast_it_went() {
    let scratch = Scratch::new();
    let texts = uneven_texts(150);
    scratch.write("many.txt", texts.join("\n"));
    scratch.write("few.txt", texts[..20].join("\n"));
    let run = |file: &str| {
        let options = ["--json", "--file", file, "--timings", "timings.json"];
        let arguments = predict(&options);
        let run = scratch.run(&borrowed(&arguments)).succeeded();
        assert_eq!(
            run.json_lines().len(),
            texts.len().min(run.stdout.lines().count())
        );
        (run, scratch.json("timings.json"))
    };
    let (many, timings) = run("many.txt");
    assert!(many.stderr.starts_with("predicted 150 texts in "), "{many}");
    assert!(many.stderr.ends_with(" texts/s)\n"), "{many}");
    let words: usize = texts.iter().map(|text| text.split(' ').count() + 2).sum();
    assert_eq!(
        (&timings["texts"], &timings["tokens"]),
        (&150.into(), &words.into())
    );
    let seconds = |name: &str| timings[name].as_f64().unwrap();
    for part in ["model_seconds", "tokenize_seconds"] {
        assert!(seconds(part) > 0.0, "{timings}");
    }
    assert!(seconds("model_seconds") < seconds("seconds"), "{timings}");
    assert!(seconds("start_seconds") > 0.0, "{timings}");
    let (few, timings) = run("few.txt");
    assert_eq!((few.stderr.as_str(), &timings["texts"]), ("", &20.into()));
}

/// Arguments, every kind of file, and standard input give the same.
#[test]
fn from_everywhere() {
    let scratch = Scratch::new();
    let lines = TEXTS.map(|text| format!("{text}\n")).concat();
    scratch.write("texts.txt", &lines);
    scratch.write(
        "texts.csv",
        TEXTS
            .map(|text| format!("1,\"{text}\"\n"))
            .concat()
            .replacen("1,", "id,sentence\n1,", 1),
    );
    scratch.write(
        "texts.jsonl",
        TEXTS
            .map(|text| format!("{{\"text\": \"{text}\"}}\n"))
            .concat(),
    );

    let arguments = predict(&["--json"]);
    let from_arguments = scratch
        .run(&[&borrowed(&arguments)[..], &TEXTS].concat())
        .succeeded();
    let predictions = from_arguments.json_lines();
    assert_eq!(predictions.len(), 3);
    for (prediction, text) in predictions.iter().zip(TEXTS) {
        assert_eq!(prediction["text"], text);
        let probabilities = prediction["probabilities"].as_object().unwrap();
        assert_eq!(
            probabilities.keys().collect::<Vec<_>>(),
            ["negative", "neutral", "positive"]
        );
        let sum: f32 = probabilities.values().map(number).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        let label = prediction["label"].as_str().unwrap();
        assert_eq!(prediction["prediction"], label);
        assert_eq!(probabilities[label], prediction["confidence"]);
        assert!(
            probabilities
                .values()
                .all(|p| number(p) <= number(&prediction["confidence"]))
        );
    }
    let from_input = scratch
        .run_with_input(&borrowed(&arguments), lines.as_bytes())
        .succeeded();
    // Whether the lines come at once, and so in one batch, is up to the system.
    same_predictions(&from_input.json_lines(), &predictions);
    for file in ["texts.txt", "texts.csv", "texts.jsonl"] {
        let arguments = predict(&["--json", "--file", file]);
        let from_file = scratch.run(&borrowed(&arguments)).succeeded();
        assert_eq!(from_file.stdout, from_arguments.stdout, "{file}");
    }
}

/// Table, JSON lines and Parquet say the same; batch by batch, to standard output or a file.
#[test]
fn in_every_format() {
    let scratch = Scratch::new();
    let run = |arguments: &[&str]| {
        let arguments = predict(arguments);
        scratch
            .run(&[&borrowed(&arguments)[..], &TEXTS].concat())
            .succeeded()
    };
    let lines = run(&["--format", "json-lines"]).json_lines();
    let table = run(&[]);
    let rows: Vec<&str> = table.stdout.lines().collect();
    assert_eq!(rows.len(), 4, "{table}");
    let head: Vec<_> = rows[0].split_whitespace().collect();
    assert_eq!(
        head,
        [
            "text",
            "label",
            "confidence",
            "negative",
            "neutral",
            "positive"
        ]
    );
    for ((row, line), text) in rows[1..].iter().zip(&lines).zip(TEXTS) {
        let confidence = format!("{:.4}", number(&line["confidence"]));
        for part in [text, line["label"].as_str().unwrap(), &confidence] {
            assert!(row.contains(part), "no {part:?} in {row:?}");
        }
    }

    let saved = run(&["--output", "table.txt", "--batch-size", "2"]);
    assert_eq!(saved.stdout, "");
    assert_eq!(scratch.read("table.txt"), table.stdout.as_bytes());
    run(&split("--json --output lines.jsonl --batch-size 1"));
    assert_eq!(scratch.json_lines("lines.jsonl").len(), 3);
    run(&split(
        "--format parquet --output predictions.parquet --batch-size 2",
    ));
    let dataset = Dataset::open(argument(&scratch.path("predictions.parquet"))).unwrap();
    let split = dataset.split("train").unwrap();
    let names: Vec<_> = split
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(
        names,
        [
            "text",
            "label",
            "confidence",
            "probability_negative",
            "probability_neutral",
            "probability_positive"
        ]
    );
    let mut rows = Vec::new();
    for batch in split.batches().unwrap() {
        let batch = batch.unwrap();
        let (texts, labels) = (
            batch.column(0).as_string::<i32>(),
            batch.column(1).as_string::<i32>(),
        );
        let confidences = batch.column(2).as_primitive::<Float32Type>();
        rows.extend((0..batch.num_rows()).map(|row| {
            (
                texts.value(row).to_string(),
                labels.value(row).to_string(),
                confidences.value(row),
            )
        }));
    }
    assert_eq!(rows.len(), 3);
    for ((text, label, confidence), line) in rows.iter().zip(&lines) {
        assert_eq!(
            (text.as_str(), label.as_str()),
            (
                line["text"].as_str().unwrap(),
                line["label"].as_str().unwrap()
            )
        );
        assert!((confidence - number(&line["confidence"])).abs() < 1e-6);
    }
}

#[test]
fn an_empty_line_is_an_empty_text_and_no_line_is_nothing() {
    let scratch = Scratch::new();
    let arguments = predict(&["--json"]);
    let run = scratch
        .run_with_input(&borrowed(&arguments), b"good\n\nbad")
        .succeeded();
    let texts: Vec<_> = run
        .json_lines()
        .iter()
        .map(|line| line["text"].clone())
        .collect();
    assert_eq!(texts, ["good", "", "bad"]);
    let run = scratch
        .run_with_input(&borrowed(&arguments), b"")
        .succeeded();
    assert_eq!(run.stdout, "");
}

/// `predict … | head` is no mistake.
#[test]
fn standard_output_may_be_closed() {
    let scratch = Scratch::new();
    scratch.write("texts.txt", "good\n".repeat(20_000));
    let arguments = predict(&["--json", "--file", "texts.txt"]);
    let mut child = scratch
        .command(&borrowed(&arguments))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let run = Run::new(&borrowed(&arguments), child.wait_with_output().unwrap()).succeeded();
    assert_eq!(run.stderr, "");
}

/// Texts longer than the model takes are cut; a smaller limit changes what is read.
#[test]
fn long_texts_are_cut() {
    let scratch = Scratch::new();
    let long = ["good "; 63].concat() + &"bad ".repeat(1000);
    let cut = ["good "; 62].concat();
    let logits = |text: &str, arguments: &[&str]| {
        let arguments = predict(&[&["--json", text], arguments].concat());
        scratch.run(&borrowed(&arguments)).succeeded().json()["logits"].clone()
    };
    assert_eq!(logits(&long, &[]), logits(&cut, &[]));
    assert_ne!(logits(&long, &["--max-length", "10"]), logits(&cut, &[]));
}

#[test]
fn refuses_texts_that_cannot_be_read() {
    let scratch = Scratch::new();
    let model = fixtures::path("tiny_bert");
    scratch.write(
        "null.jsonl",
        "{\"text\": \"a\"}\n".repeat(100) + "{\"text\": null}\n",
    );
    scratch.write("latin.csv", b"text\ngood\ncaf\xe9\n");
    scratch.write("latin.txt", b"good\ncaf\xe9\n");
    scratch.write("empty.jsonl", "");
    scratch.write("numbers.csv", "id\n1\n");
    scratch.write("there.jsonl", "{\"text\": \"a\"}\n");
    for (arguments, words) in [
        (
            &["--file", "null.jsonl"][..],
            &["null.jsonl, row 100 (line 101)", "`text` is null"][..],
        ),
        (
            &["--file", "latin.csv"],
            &["latin.csv, row 1 (line 3)", "UTF-8"],
        ),
        (
            &["--file", "latin.txt"],
            &["latin.txt, row 1 (line 2)", "UTF-8"],
        ),
        (&["--file", "empty.jsonl"], &["empty.jsonl", "empty"]),
        (
            &["--file", "numbers.csv"],
            &["--text-column", "id (string)"],
        ),
        (&["--file", "absent.csv"], &["absent.csv", "o such file"]),
        (&["--file", "absent.txt"], &["absent.txt"]),
        (&["--file", "there.jsonl", "a text"], &["--file"]),
        (
            &["--format", "xml", "a"],
            &["xml", "table, json-lines, parquet"],
        ),
        (&["--format", "parquet", "a"], &["--output"]),
        (
            &["--output", "there.jsonl", "a"],
            &["there.jsonl exists already"],
        ),
        (&["--output", "nowhere/x.txt", "a"], &["nowhere/x.txt"]),
        (
            &["--format", "parquet", "--output", "nowhere/x.parquet", "a"],
            &["nowhere"],
        ),
        (&["--batch-size", "0", "a"], &["--batch-size"]),
        (&["--max-length", "2", "a"], &["maximum length of 2", "3"]),
        (&["--device", "tpu", "a"], &["tpu", "auto, cpu"]),
    ] {
        // Whatever was written before the bad row must not look like a result.
        let output: &[&str] =
            match arguments.contains(&"--output") || arguments.contains(&"--format") {
                true => &[],
                false => &["--output", "predictions.jsonl"],
            };
        let fixed = ["predict", "--model", argument(&model)];
        scratch.refuses(&[&fixed, arguments, output].concat(), words);
    }
    let parquet = [
        "predict",
        "--model",
        argument(&model),
        "--format",
        "parquet",
        "--output",
        "p.parquet",
        "--file",
        "null.jsonl",
    ];
    scratch.refuses(&parquet, &["row 100"]);
    scratch
        .run_with_input(
            &["predict", "--model", argument(&model), "--output", "p.txt"],
            b"good\ncaf\xe9\n",
        )
        .refused(&["standard input, row 1 (line 2)", "UTF-8"]);
    assert!(!scratch.path("p.txt").exists());
}
