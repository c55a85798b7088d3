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
    arrow::{
        array::{Array, AsArray},
        datatypes::{DataType, Float32Type},
        util::display::{ArrayFormatter, FormatOptions},
    },
};
use serde_json::{Value, json};

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
    for model in [
        "tiny_bert",
        "tiny_distilbert",
        "tiny_bert_regression",
        "families/roberta",
        "families/xlm_roberta",
        "families/camembert",
        "families/electra",
        "families/electra_narrow",
    ] {
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
                match row.get("label") {
                    // Of one class a row.
                    Some(label) => assert_eq!(prediction["label"], *label),
                    // A number has none; of several classes a row transformers names none.
                    None => assert!(logits(row).len() > 1 || prediction.get("label").is_none()),
                }
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
        let answer = answers.recv_timeout(Duration::from_secs(600));
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
    let arguments = predict(&["--json"]);
    let input = [good.as_bytes(), b"caf\xe9\nnever\n"].concat();
    let run = scratch.run_with_input(&borrowed(&arguments), &input);
    run.failed(2, &["standard input, row 3 (line 4)", "UTF-8"]);
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

/// Lines of text are recognised as CSV is, and labels in them are no part of the text.
#[test]
fn lines_however_they_are_written() {
    let scratch = Scratch::new();
    let lines = "a dull café\n\nso naïve , déjà vu\n";
    let run = |file: &str| {
        let arguments = predict(&["--json", "--file", file]);
        scratch.run(&borrowed(&arguments)).succeeded()
    };
    scratch.write("plain.txt", lines);
    let plain = run("plain.txt");
    assert_eq!(plain.stderr, "");
    let texts: Vec<Value> = plain.json_lines();
    let texts: Vec<_> = texts.iter().map(|row| row["text"].clone()).collect();
    assert_eq!(texts, ["a dull café", "", "so naïve , déjà vu"]);

    let utf16 = |mark: &str| -> Vec<u8> {
        let text = format!("{mark}{lines}");
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    let latin: Vec<u8> = lines.chars().map(|c| c as u8).collect();
    let gzip = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        gzip.write_all(lines.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    for (file, bytes, note) in [
        ("mark.txt", ["\u{feff}", lines].concat().into_bytes(), ""),
        (
            "marked16.txt",
            utf16("\u{feff}"),
            "marked16.txt: read as UTF-16LE",
        ),
        (
            "unmarked16.txt",
            utf16(""),
            "unmarked16.txt: read as UTF-16LE",
        ),
        (
            "latin.txt",
            latin,
            "latin.txt, line 1: not UTF-8; read as windows-1252",
        ),
        ("packed.txt.gz", gzip.clone(), ""),
        ("packed.txt", gzip, "compressed with gzip"),
        ("LOUD.TXT", lines.into(), ""),
    ] {
        scratch.write(file, bytes);
        let found = run(file);
        assert_eq!(found.stdout, plain.stdout, "{file}");
        match note {
            "" => assert_eq!(found.stderr, "", "{file}"),
            _ => assert!(found.stderr.contains(note), "{found}"),
        }
    }

    scratch.write(
        "fast.txt",
        "__label__bad __label__long a dull café\nso naïve , déjà vu __label__good\nwarm\n",
    );
    let found = run("fast.txt");
    assert!(found.stderr.contains("as fastText has them"), "{found}");
    assert!(
        found.stderr.contains("without one (first on line 3)"),
        "{found}"
    );
    let found = found.json_lines();
    let typed = predict(&["--json", "a dull café", "so naïve , déjà vu", "warm"]);
    let typed = scratch.run(&borrowed(&typed)).succeeded();
    same_predictions(&found, &typed.json_lines());
    let arguments = predict(&["--file", "fast.txt", "--output", "fast.csv"]);
    scratch.run(&borrowed(&arguments)).succeeded();
    let table = String::from_utf8(scratch.read("fast.csv")).unwrap();
    let mut rows = table.lines();
    assert!(
        rows.next().unwrap().starts_with("text,label,prediction,"),
        "{table}"
    );
    assert!(
        rows.next()
            .unwrap()
            .starts_with("a dull café,\"[\"\"bad\"\",\"\"long\"\"]\","),
        "{table}"
    );
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
            "prediction",
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
        "latin.jsonl",
        b"{\"text\": \"good\"}\n{\"text\": \"caf\xe9\"}\n",
    );
    scratch.write("latin.txt", b"good\ncaf\xe9\n");
    scratch.write("empty.txt", "");
    scratch.write("empty.jsonl", "");
    scratch.write("numbers.csv", "id\n1\n");
    scratch.write("there.jsonl", "{\"text\": \"a\"}\n");
    for (arguments, words) in [
        (
            &["--file", "latin.jsonl"][..],
            &["latin.jsonl, row 1 (line 2)", "UTF-8"][..],
        ),
        (
            &["--file", "latin.txt", "--csv-encoding", "utf-8"],
            &["latin.txt, row 1 (line 2)", "UTF-8"],
        ),
        (&["--file", "empty.txt"], &["empty.txt", "empty"]),
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
            &["xml", "table, json-lines, csv, tsv, parquet, arrow"],
        ),
        (&["--format", "parquet", "a"], &["--output"]),
        (
            &["--output", "there.jsonl", "a"],
            &["there.jsonl already exists"],
        ),
        (&["--output", "nowhere/x.txt", "a"], &["nowhere/x.txt"]),
        (
            &["--format", "parquet", "--output", "nowhere/x.parquet", "a"],
            &["nowhere"],
        ),
        (&["--batch-size", "0", "a"], &["--batch-size"]),
        (
            &["--max-length", "2", "a"],
            &["max_length is 2", "at least 3"],
        ),
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
    scratch
        .run_with_input(
            &["predict", "--model", argument(&model), "--output", "p.txt"],
            b"good\ncaf\xe9\n",
        )
        .refused(&["standard input, row 1 (line 2)", "UTF-8"]);
    assert!(!scratch.path("p.txt").exists());
}

/// Rows as a table has them: numbers, quotes, lists, a null, an empty text, a name that is taken.
fn write_rows(scratch: &Scratch) {
    let rows = [
        (1, Some("the film was great ."), "x,\"y\""),
        (2, None, "two\nlines"),
        (3, Some(""), ""),
        (4, Some("a dull, \"slow\" plot"), "z"),
    ];
    let json = |(id, text, prediction): &(i64, Option<&str>, &str)| json!({"id": id, "text": text, "prediction": prediction, "tags": ["a", id.to_string()]});
    let lines = rows.iter().map(|row| json(row).to_string() + "\n");
    scratch.write("rows.jsonl", lines.collect::<String>());
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let lines = rows.iter().map(|(id, text, prediction)| {
        format!(
            "{id},{},{}\n",
            text.map(quote).unwrap_or_default(),
            quote(prediction)
        )
    });
    let csv = "id,text,prediction\n".to_string() + &lines.collect::<String>();
    scratch.write("rows.csv", csv);
}

/// The rows of a file, as the data crate reads them: each column as text, null as `None`.
fn table(scratch: &Scratch, file: &str) -> (Vec<String>, Vec<Vec<Option<String>>>) {
    let dataset = Dataset::open(argument(&scratch.path(file))).unwrap();
    let split = dataset.split("train").unwrap();
    let names = split
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone());
    let mut rows = Vec::new();
    for batch in split.batches().unwrap() {
        let batch = batch.unwrap();
        let options = FormatOptions::new();
        let columns = batch.columns().iter();
        let columns: Vec<_> = columns
            .map(|column| (column, ArrayFormatter::try_new(column, &options).unwrap()))
            .collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            let cells = columns.iter();
            cells
                .map(|(column, text)| column.is_valid(row).then(|| text.value(row).to_string()))
                .collect()
        }));
    }
    (names.collect(), rows)
}

/// All columns of the input, in its order, and the predictions beside them, whatever the formats.
#[test]
fn a_table_of_the_input_and_the_predictions() {
    let scratch = Scratch::new();
    write_rows(&scratch);
    let run = |options: &str| {
        let arguments = predict(&split(options));
        scratch.run(&borrowed(&arguments)).succeeded()
    };
    let alone = |text: &str| {
        let arguments = predict(&["--json", text]);
        scratch.run(&borrowed(&arguments)).succeeded().json()
    };
    let expected: Vec<Option<Value>> = ["the film was great .", "", "a dull, \"slow\" plot"]
        .map(|text| Some(alone(text)))
        .into();
    let expected = [&expected[..1], &[None], &expected[1..]].concat();
    for input in ["rows.csv", "rows.jsonl"] {
        let (input_names, input_rows) = table(&scratch, input);
        for end in ["csv", "tsv", "jsonl", "parquet", "arrow"] {
            let output = format!("{}-{end}.{end}", input.replace('.', "-"));
            let said = run(&format!("--file {input} --output {output}"));
            assert_eq!(said.stdout, "");
            let notes = "note: the input already has prediction; the predictions are in prediction_2\n\
                 note: 1 of 4 rows has no text; its prediction is empty\n";
            let quoted = said.stderr.strip_suffix(notes);
            let quoted = quoted.unwrap_or_else(|| panic!("{said}"));
            // The one field over two lines is told of.
            assert_eq!(
                quoted.contains("--csv-quoting none"),
                input == "rows.csv",
                "{said}"
            );
            let (names, rows) = table(&scratch, &output);
            assert_eq!(names[..input_names.len()], input_names, "{output}");
            let own = [
                "prediction_2",
                "confidence",
                "probability_negative",
                "probability_neutral",
                "probability_positive",
            ];
            assert_eq!(names[input_names.len()..], own, "{output}");
            assert_eq!(rows.len(), 4, "{output}");
            for ((row, before), expected) in rows.iter().zip(&input_rows).zip(&expected) {
                let (left, right) = row.split_at(input_names.len());
                // A list in CSV is JSON, which is quoted otherwise.
                assert_eq!(left[..3], before[..3], "{output}");
                if let (Some(tags), false) = (before.get(3), end.ends_with("sv")) {
                    assert_eq!(&left[3], tags, "{output}");
                }
                let Some(expected) = expected else {
                    assert!(right.iter().all(Option::is_none), "{output}: {row:?}");
                    continue;
                };
                assert_eq!(right[0].as_deref(), expected["label"].as_str(), "{output}");
                let confidence: f32 = right[1].as_ref().unwrap().parse().unwrap();
                let difference = (confidence - number(&expected["confidence"])).abs();
                assert!(difference < 1e-6, "{output}: {row:?}");
            }
        }
    }
    // The types of Parquet stay; lists of JSON are lists there.
    let parquet = Dataset::open(argument(&scratch.path("rows-jsonl-parquet.parquet"))).unwrap();
    let schema = parquet.split("train").unwrap().schema().clone();
    assert_eq!(
        schema.field_with_name("id").unwrap().data_type(),
        &DataType::Int64
    );
    let tags = schema.field_with_name("tags").unwrap();
    assert!(tags.data_type().is_list(), "{tags}");
    run("--file rows-jsonl-parquet.parquet --output again.arrow");
    let again = Dataset::open(argument(&scratch.path("again.arrow"))).unwrap();
    let again = again.split("train").unwrap().schema().clone();
    for field in schema.fields() {
        assert_eq!(
            again.field_with_name(field.name()).unwrap().data_type(),
            field.data_type()
        );
    }
}

#[test]
fn rows_without_a_text_are_left_out_on_request() {
    let scratch = Scratch::new();
    write_rows(&scratch);
    for (options, rows) in [("", 4), ("--skip-invalid", 3)] {
        let fixed = split("--file rows.csv --json");
        let arguments = predict(&[&fixed[..], &split(options)].concat());
        let run = scratch.run(&borrowed(&arguments)).succeeded();
        let lines = run.json_lines();
        assert_eq!(lines.len(), rows, "{run}");
        assert!(run.stderr.contains("1 of 4 rows has no text"), "{run}");
        let last = &lines[rows - 1];
        assert_eq!(last["text"], "a dull, \"slow\" plot");
        assert!(last["prediction"].is_string(), "{run}");
        assert_eq!(lines[1]["text"].is_null(), rows == 4, "{run}");
        assert_eq!(lines[1]["prediction"].is_null(), rows == 4, "{run}");
        let arguments = predict(&[&split("--file rows.csv")[..], &split(options)].concat());
        let table = scratch.run(&borrowed(&arguments)).succeeded();
        assert_eq!(table.stdout.lines().count(), rows + 1, "{table}");
    }
    let arguments = predict(&split("--file rows.csv --output out.csv --skip-invalid"));
    scratch.run(&borrowed(&arguments)).succeeded();
    let ids: Vec<_> = table(&scratch, "out.csv")
        .1
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    assert_eq!(ids, ["1", "3", "4"].map(|id| Some(id.to_string())));
}

/// Nested JSON and columns of several types come out as they went in.
#[test]
fn nested_json_stays() {
    let scratch = Scratch::new();
    let rows = [
        json!({"text": "good", "meta": {"b": [1, {"c": null}], "a": 0.1}, "mixed": 1}),
        json!({"text": "bad", "meta": {}, "mixed": "one"}),
    ];
    scratch.write(
        "rows.jsonl",
        rows.iter()
            .map(|row| format!("{row}\n"))
            .collect::<String>(),
    );
    let run = |output: &str| {
        let arguments = predict(&["--file", "rows.jsonl", "--output", output]);
        scratch.run(&borrowed(&arguments)).succeeded();
    };
    run("out.jsonl");
    for (found, row) in scratch.json_lines("out.jsonl").iter().zip(&rows) {
        for (key, value) in row.as_object().unwrap() {
            assert_eq!(&found[key], value);
        }
        let keys: Vec<_> = found.as_object().unwrap().keys().take(4).collect();
        assert_eq!(keys, ["text", "meta", "mixed", "prediction"]);
    }
    run("out.csv");
    let (_, found) = table(&scratch, "out.csv");
    assert_eq!(
        found[0][1].as_deref(),
        Some("{\"b\":[1,{\"c\":null}],\"a\":0.1}")
    );
    assert_eq!(found[1][2].as_deref(), Some("one"));
}

/// Nobody's file is touched: not one of the name that a partial file once had, not one behind a link,
/// not one that appears meanwhile; and a pipe is written to as it is.
#[cfg(unix)]
#[test]
fn an_output_is_its_own_file() {
    let scratch = Scratch::new();
    scratch.write("out.csv.partial", "mine");
    scratch.write("mine.csv", "mine");
    std::os::unix::fs::symlink("mine.csv", scratch.path("link.csv")).unwrap();
    std::os::unix::fs::symlink("nowhere.csv", scratch.path("dangling.csv")).unwrap();
    let write = |output: &str| predict(&["good", "--output", output]);
    scratch.run(&borrowed(&write("out.csv"))).succeeded();
    assert_eq!(scratch.read("out.csv.partial"), b"mine");
    for taken in ["out.csv", "link.csv", "dangling.csv", "mine.csv"] {
        scratch.refuses(&borrowed(&write(taken)), &[taken, "already exists"]);
    }
    assert_eq!(scratch.read("mine.csv"), b"mine");
    let made = std::process::Command::new("mkfifo")
        .arg(scratch.path("pipe.csv"))
        .status();
    assert!(made.unwrap().success());
    let pipe = scratch.path("pipe.csv");
    let reader = thread::spawn(move || std::fs::read(pipe).unwrap());
    scratch.run(&borrowed(&write("pipe.csv"))).succeeded();
    assert_eq!(reader.join().unwrap(), scratch.read("out.csv"));
    for standard in ["-", "/dev/stdout"] {
        let arguments = predict(&["good", "--format", "csv", "--output", standard]);
        let run = scratch.run(&borrowed(&arguments)).succeeded();
        assert_eq!(run.stdout.as_bytes(), scratch.read("out.csv"));
    }

    // Two at once: each writes its own file, and one of them gets the name.
    let begin = || {
        let arguments = predict(&["--output", "both.txt"]);
        let mut command = scratch.command(&borrowed(&arguments));
        command
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut children = [begin(), begin()];
    let partial = || {
        let names = scratch.entries().into_iter();
        names
            .filter(|path| path.extension().is_some_and(|end| end == "partial"))
            .count()
    };
    while partial() < 3 {
        thread::sleep(Duration::from_millis(5));
    }
    let mut codes: Vec<_> = children
        .iter_mut()
        .map(|child| {
            writeln!(child.stdin.take().unwrap(), "good").unwrap();
            child.wait().unwrap().code()
        })
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(2)]);
    assert_eq!(
        scratch
            .read("both.txt")
            .iter()
            .filter(|byte| **byte == b'\n')
            .count(),
        2
    );
    assert_eq!(partial(), 1);
}

/// What comes from strangers does not act on a terminal, and JSON says the same without acting.
#[test]
fn control_characters_are_shown() {
    let scratch = Scratch::new();
    let text = "good \u{1b}]0;owned\u{7} \u{9b}2J \u{202e}film";
    let arguments = predict(&[text]);
    let shown = scratch.run(&borrowed(&arguments)).succeeded().stdout;
    assert!(
        shown.contains("good \\u{1b}]0;owned\\u{7} \\u{9b}2J"),
        "{shown}"
    );
    let lines: Vec<_> = shown
        .lines()
        .map(|line| line.find("negative").is_some())
        .collect();
    assert_eq!(lines.len(), 2);
    assert!(
        !shown.contains(|c: char| c.is_control() && c != '\n'),
        "{shown:?}"
    );
    let arguments = predict(&["--json", text]);
    let run = scratch.run(&borrowed(&arguments)).succeeded();
    assert!(
        !run.stdout.contains(['\u{9b}', '\u{202e}', '\u{1b}']),
        "{run}"
    );
    assert_eq!(run.json()["text"], text);
    // A file is data.
    scratch.write("rows.jsonl", json!({"text": text, "id": 1}).to_string());
    let arguments = predict(&split("--file rows.jsonl --output out.csv"));
    scratch.run(&borrowed(&arguments)).succeeded();
    assert_eq!(table(&scratch, "out.csv").1[0][0].as_deref(), Some(text));
    let wrong = scratch.run(&["predict", "--model", "m\u{1b}[2J", "--no-such\u{1b}[2J"]);
    assert_eq!(wrong.code, Some(2));
    assert!(!wrong.stderr.contains('\u{1b}'), "{wrong}");
    let wrong = scratch.run(&["predict", "--model", "m\u{1b}[2J", "a"]);
    assert!(wrong.stderr.contains("m\\u{1b}[2J"), "{wrong}");
}

/// Predictions that cannot be written are an error; what is said about them is not.
#[cfg(unix)]
#[test]
fn a_full_disk_is_said() {
    let scratch = Scratch::new();
    let full = || {
        std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let run = |arguments: &[&str], stdout: bool| {
        let arguments = predict(arguments);
        let borrowed = borrowed(&arguments);
        let mut command = scratch.command(&borrowed);
        match stdout {
            true => command.stdout(full()).stderr(Stdio::piped()),
            false => command.stdout(Stdio::piped()).stderr(full()),
        };
        Run::new(
            &borrowed,
            command.spawn().unwrap().wait_with_output().unwrap(),
        )
    };
    run(&["good"], true).failed(1, &["standard output", "No space"]);
    let one = run(&["good", "--format", "csv"], true);
    one.failed(1, &["standard output", "No space"]);
    write_rows(&scratch);
    let lines = run(&["--file", "rows.csv", "--json"], false).succeeded();
    assert_eq!(lines.json_lines().len(), 4);
    let device = run(&["good", "--output", "/dev/full"], true);
    device.failed(1, &["/dev/full", "No space"]);
}

/// A closed standard output is the null device for the program: nothing is kept, and that is said.
#[cfg(unix)]
#[test]
fn a_closed_standard_output_is_said() {
    let scratch = Scratch::new();
    let arguments = predict(&["good"]);
    let command = scratch.command(&borrowed(&arguments));
    for (redirection, said) in [(">&-", true), (">/dev/null", false), ("", false)] {
        let mut shell = std::process::Command::new("sh");
        shell
            .args(["-c", &format!("exec \"$0\" \"$@\" {redirection}")])
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(scratch.path(""));
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let run = Run::new(&["predict"], shell.output().unwrap()).succeeded();
        let note = "note: standard output is closed";
        assert_eq!(run.stderr.contains(note), said, "{redirection}: {run}");
        assert_eq!(run.stdout.is_empty(), !redirection.is_empty());
    }
}
