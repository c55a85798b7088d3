//! What a run records about itself (event log, TensorBoard files, manifest), and replaying it.

use std::{collections::BTreeSet, fs, process::Stdio, thread, time::Duration};

use finetune_tensorboard::EventReader;
use serde_json::{Value, json};

use crate::{
    command::{Scratch, argument, split},
    fixtures, samples,
};

const RUN: &str = "--dataset data --epochs 2 --learning-rate 3e-3 --eval-on-start true";

fn trained(options: &str) -> Scratch {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch.train(&split(options)).succeeded();
    scratch
}

/// The scalars of the one event file of a run: `(step, tag, value)`.
fn scalars(scratch: &Scratch) -> Vec<(i64, String, f32)> {
    let mut files = fs::read_dir(scratch.path("run/tensorboard")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none(), "more than one event file");
    let mut scalars = Vec::new();
    for event in EventReader::open(file).unwrap() {
        let event = event.unwrap();
        let found = event
            .scalars()
            .map(|(tag, value)| (event.step, tag.to_string(), value));
        scalars.extend(found);
    }
    scalars
}

/// Asserts that every number of the event log is in TensorBoard's file, at its step, and nothing else
/// but what a clock measures.
#[track_caller]
fn check_tensorboard(scratch: &Scratch) -> Vec<(i64, String, f32)> {
    let mut expected = Vec::new();
    for event in scratch.json_lines("run/events.jsonl") {
        let mut add = |tag: &str, value: &Value| {
            if let Some(value) = value.as_f64() {
                let step = event["step"].as_i64().unwrap_or(0);
                expected.push((step, tag.to_string(), value as f32));
            }
        };
        match event["event"].as_str().unwrap() {
            "started" => add("train/trainable_parameters", &event["trainable_parameters"]),
            "step" => {
                for name in ["loss", "learning_rate", "grad_norm", "epoch"] {
                    add(&format!("train/{name}"), &event[name]);
                }
            }
            "evaluated" => {
                let split = event["split"].as_str().unwrap();
                let split = if split == "validation" { "eval" } else { split };
                for (name, value) in event["metrics"].as_object().unwrap() {
                    if name != "rows" {
                        add(&format!("{split}/{name}"), value);
                    }
                }
            }
            "finished" => add("train/train_loss", &event["loss"]),
            _ => {}
        }
    }
    let mut found = scalars(scratch);
    let measured = |tag: &str| ["train/samples_per_second", "train/train_runtime"].contains(&tag);
    found.retain(|(_, tag, _)| !measured(tag));
    assert_eq!(found, expected);
    found
}

#[test]
fn tensorboard_has_what_the_event_log_has() {
    let found = check_tensorboard(&trained(RUN));
    let evaluations = found.iter().filter(|(_, tag, _)| tag == "eval/accuracy");
    assert_eq!(evaluations.count(), 3);
    assert_eq!(
        found
            .iter()
            .filter(|(_, tag, _)| tag == "test/loss")
            .count(),
        1
    );
}

/// Killed after its first checkpoint, and resumed: each number once, as in the event log; the manifest
/// has both sessions.
#[test]
fn logs_of_a_resumed_run_have_no_gap_and_no_repeat() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let options = "train --dataset data --epochs 30 --output run --model";
    let arguments = [&split(options)[..], &[argument(&model)]].concat();
    let mut command = scratch.command(&arguments);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let checkpoints = scratch.path("run/checkpoints");
    let saved = || {
        let names = fs::read_dir(&checkpoints).into_iter().flatten();
        let mut names = names.map(|entry| entry.unwrap().file_name());
        names.any(|name| name.to_string_lossy().starts_with("step-"))
    };
    while !saved() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it could be killed"
        );
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    scratch.run(&["resume", "run"]).succeeded();
    let found = check_tensorboard(&scratch);
    let steps = found.iter().filter(|(_, tag, _)| tag == "train/loss");
    let steps: Vec<_> = steps.map(|(step, ..)| *step).collect();
    assert_eq!(steps, (1..=300).collect::<Vec<_>>());
    let sessions = scratch.json("run/manifest.json")["sessions"].take();
    assert_eq!(sessions[0]["end"], Value::Null);
    assert!(
        sessions[1]["first_step"].as_u64().unwrap() >= 10,
        "{sessions}"
    );
    assert_eq!(sessions[1]["end"]["step"], 300);
    scratch.run(&["replay", "run"]).succeeded();
}

#[test]
fn tensorboard_can_be_left_out() {
    let scratch = trained("--dataset data --max-steps 1 --report-to none");
    assert!(!scratch.path("run/tensorboard").exists());
}

/// Without what a clock measures.
fn timeless(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !key.ends_with("seconds") && !key.ends_with("_at"));
            fields.values_mut().for_each(timeless);
        }
        Value::Array(values) => values.iter_mut().for_each(timeless),
        _ => {}
    }
}

#[test]
fn manifests_of_the_same_run_differ_in_times_only() {
    let [first, second] = [(), ()].map(|()| {
        let scratch = trained(RUN);
        let manifest = scratch.json("run/manifest.json");
        assert!(
            manifest["sessions"][0]["end"]["train_seconds"]
                .as_f64()
                .unwrap()
                > 0.0
        );
        let started = manifest["sessions"][0]["started_at"].as_str().unwrap();
        assert!(
            started.starts_with("20") && started.ends_with('Z'),
            "{started}"
        );
        let mut manifest = manifest;
        timeless(&mut manifest);
        manifest
    });
    assert_eq!(first, second);
    assert_eq!(first["data"][0]["path"], "data/train.csv");
    for sha256 in [
        &first["data"][0]["sha256"],
        &first["model"]["weights_sha256"],
        &first["model"]["tokenizer_sha256"],
        &first["result"]["weights"]["sha256"],
    ] {
        assert_eq!(sha256.as_str().unwrap().len(), 64);
    }
    let session = &first["sessions"][0];
    assert_eq!(session["first_step"], 0);
    assert_eq!(session["end"]["reason"], "completed");
    assert_eq!(session["end"]["step"], 20);
    assert_eq!(session["machine"]["device"], "cpu");
    assert_eq!(first["plan"]["learning_rate"], 3e-3);
    assert!(first["result"]["metrics"]["test"]["accuracy"].is_number());
}

#[test]
fn a_replay_is_equal_and_leaves_the_first_run_alone() {
    for options in [
        RUN,
        "--dataset data --max-steps 5 --strategy lora --learning-rate 1e-2",
    ] {
        let scratch = trained(options);
        let before = scratch.read("run/manifest.json");
        let replay = scratch.run(&split("replay run --json")).succeeded();
        let equal = json!({"equal": true, "difference": null});
        assert_eq!(
            replay.json(),
            json!({"equal": true, "output": "run-replay-1",
                "events": equal, "metrics": equal, "weights": equal})
        );
        assert_eq!(scratch.read("run/manifest.json"), before);
        assert!(scratch.path("run-replay-1/model").exists());
        let table = scratch.run(&split("replay run --output again")).succeeded();
        assert!(
            table.stdout.contains("The replay is bit-identical"),
            "{table}"
        );
    }
}

/// Someone has tampered with the run, so its replay is not equal.
#[test]
fn a_replay_that_differs_says_where() {
    let scratch = trained(RUN);
    let log = String::from_utf8(scratch.read("run/events.jsonl")).unwrap();
    let step = log
        .lines()
        .find(|line| line.contains("\"step\":7,"))
        .unwrap();
    let mut event: Value = serde_json::from_str(step).unwrap();
    event["loss"] = 0.5.into();
    scratch.write("run/events.jsonl", log.replace(step, &event.to_string()));
    let path = scratch.path("run/model/model.safetensors");
    let mut weights = fs::read(&path).unwrap();
    // The lowest bit of the last value.
    let last = weights.len() - 4;
    weights[last] ^= 1;
    fs::write(&path, weights).unwrap();

    let replay = scratch.run(&split("replay run"));
    assert_eq!(replay.code, Some(1), "{replay}");
    for words in [
        "event step of step 7: loss: 0.5, ",
        "metrics   before, validation, test: equal",
        "differ by up to",
    ] {
        assert!(replay.stdout.contains(words), "no {words:?} in: {replay}");
    }
}

#[test]
fn a_replay_needs_the_files_of_the_run() {
    let scratch = trained("--dataset data --max-steps 2");
    // A byte that no token depends on: tokens are lower-cased.
    let path = scratch.path("data/test.csv");
    let data = fs::read_to_string(&path).unwrap();
    fs::write(&path, data.replacen("the", "The", 1)).unwrap();
    let refused = |words: &[&str]| {
        let before = scratch.entries();
        scratch.run(&["replay", "run"]).failed(2, words);
        scratch.unchanged_since(&before);
    };
    refused(&["data/test.csv", "SHA-256", "changed since"]);
    // One that changes the rows.
    fs::write(
        &path,
        data.replacen("good", "bad", 1).replacen("great", "dull", 1),
    )
    .unwrap();
    refused(&["the test rows of data are not those"]);
    fs::write(&path, &data).unwrap();
    scratch.run(&["replay", "run"]).succeeded();

    scratch.refuses(
        &["replay", "data"],
        &["not the directory of a run", "plan.toml"],
    );
    fs::remove_file(scratch.path("run/results.json")).unwrap();
    scratch.refuses(&["replay", "run"], &["run is incomplete", "resume run"]);
}

#[test]
fn a_replay_refuses_other_weights() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let weights = scratch.copy_model("tiny_bert").join("model.safetensors");
    scratch
        .run(&split(
            "train --model model --dataset data --max-steps 1 --output run",
        ))
        .succeeded();
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 4;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).unwrap();
    scratch.refuses(&["replay", "run"], &["the weights of model", "SHA-256"]);
}

/// The tables of EVENTS.md: by heading, the fields with their types.
fn documented() -> Vec<(String, Vec<(String, String)>)> {
    let text = include_str!("../../crates/finetune-train/EVENTS.md");
    let mut sections: Vec<(String, Vec<_>)> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            sections.push((heading.trim_matches('`').into(), Vec::new()));
        } else if let Some(row) = line.strip_prefix("| `") {
            let (field, rest) = row.split_once("` | ").unwrap();
            let (kind, _) = rest.split_once(" |").unwrap();
            sections
                .last_mut()
                .unwrap()
                .1
                .push((field.into(), kind.into()));
        }
    }
    assert!(sections.len() > 6);
    sections
}

fn is_a(value: &Value, kind: &str) -> bool {
    kind.trim_start_matches("optional ")
        .split(" or ")
        .any(|kind| match kind {
            "integer" => value.is_u64(),
            "number" => value.is_number(),
            "text" => value.is_string(),
            "boolean" => value.is_boolean(),
            "object" => value.is_object(),
            "list" => value.is_array(),
            "null" => value.is_null(),
            other => panic!("EVENTS.md has the type {other:?}, which this test does not know"),
        })
}

/// Asserts that an object has the documented fields, each of its type, and no other.
#[track_caller]
fn check_fields(object: &Value, fields: &[(String, String)], what: &str) {
    let object = object.as_object().unwrap();
    for (field, kind) in fields {
        match object.get(field) {
            Some(value) => assert!(is_a(value, kind), "{what}.{field} is {value}, not {kind}"),
            None => assert!(
                kind.starts_with("optional"),
                "{what} has no {field}: {object:?}"
            ),
        }
    }
    let known: BTreeSet<_> = fields.iter().map(|(field, _)| field.as_str()).collect();
    for field in object.keys().filter(|field| *field != "event") {
        assert!(
            known.contains(field.as_str()),
            "EVENTS.md says nothing of {what}.{field}"
        );
    }
}

#[test]
fn every_event_is_as_documented() {
    let sections = documented();
    let section = |name: &str| {
        let found = sections.iter().find(|(heading, _)| heading == name);
        &found
            .unwrap_or_else(|| panic!("EVENTS.md has no section on {name}"))
            .1
    };
    let mut seen = BTreeSet::new();
    for (options, task) in [
        ("--dataset data --epochs 2 --strategy gradual", "classifier"),
        (
            "--dataset labelled.jsonl --max-steps 2",
            "multi-label classifier",
        ),
        ("--dataset rated.jsonl --max-steps 2", "regression model"),
        (
            "--dataset data --epochs 20 --learning-rate 1e-12 --head-learning-rate 1e-11 --early-stopping-patience 1",
            "classifier",
        ),
        (
            "--dataset data --max-steps 2 --max-length 16",
            "masked language model",
        ),
    ] {
        let scratch = Scratch::new();
        samples::splits(&scratch, "csv");
        let rows = samples::examples(200);
        let labelled = rows.iter().map(|(text, class)| {
            json!({"text": text, "label": [samples::CLASSES[*class], "text"]}).to_string() + "\n"
        });
        scratch.write("labelled.jsonl", labelled.collect::<String>());
        let rated = rows.iter().map(|(text, class)| {
            json!({"text": text, "label": *class as f64 + 0.5}).to_string() + "\n"
        });
        scratch.write("rated.jsonl", rated.collect::<String>());
        let run = match task {
            "masked language model" => scratch.pretrain(&split(options)),
            _ => scratch.train(&split(options)),
        };
        run.succeeded();
        for event in scratch.json_lines("run/events.jsonl") {
            let name = event["event"].as_str().unwrap().to_string();
            check_fields(&event, section(&name), &name);
            if name == "evaluated" {
                let heading = format!("metrics of a {task}");
                check_fields(&event["metrics"], section(&heading), &heading);
                seen.insert(heading);
            }
            seen.insert(name);
        }
    }
    for (heading, _) in &sections {
        assert!(
            seen.contains(heading),
            "no run has {heading}, which EVENTS.md describes"
        );
    }
}

/// Class names come from strangers: TensorBoard gets no control character and no markup of theirs.
#[test]
fn class_names_in_tensorboard_are_harmless() {
    let scratch = Scratch::new();
    let names = ["<img src=x>\u{1b}[2J", "a&b\u{202e}"];
    let rows = samples::examples(80).into_iter();
    let lines = rows.map(|(text, class)| json!({"text": text, "label": names[class]}).to_string());
    scratch.write("rows.jsonl", lines.collect::<Vec<_>>().join("\n"));
    scratch
        .train(&split("--dataset rows.jsonl --max-steps 1"))
        .succeeded();
    let mut files = fs::read_dir(scratch.path("run/tensorboard")).unwrap();
    let bytes = fs::read(files.next().unwrap().unwrap().path()).unwrap();
    let has = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    for tag in [
        "eval/precision_recall/\\u{3c}img src=x\\u{3e}\\u{1b}[2J",
        "eval/precision_recall/a\\u{26}b\\u{202e}",
    ] {
        assert!(has(tag), "no {tag}");
    }
    for raw in ["\u{1b}[2J", "\u{202e}"] {
        assert!(!has(raw), "{raw:?}");
    }
    // The plan is text, and there code, in which markup is only shown.
    let code = has("    labels = [\"<img src=x>\\u001B[2J\"");
    let markup = bytes.windows(4).filter(|part| part == b"<img").count();
    assert!(code && markup == 1, "{code} {markup}");
}
