//! Data sets by name, through the program, from a hub on this machine.

use crate::{
    command::{Run, Scratch, argument},
    fixtures,
    hub_server::{COMMIT, FakeDataset, FakeHub},
    samples,
};

const CARD: &str = "---
configs:
- config_name: films
  data_files:
  - split: train
    path: films/train.jsonl
  - split: dev
    path: films/dev*
  - split: test
    path: films/test.jsonl
  - split: unlabelled
    path: films/rest.jsonl
- config_name: books
  data_dir: books
dataset_info:
- config_name: films
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': negative
          '1': positive
---
# Reviews
";

/// Rows whose classes are numbers: only the card has their names.
fn rows(from: usize, to: usize) -> Vec<u8> {
    let examples = samples::examples(200);
    let lines = examples[from..to].iter();
    let lines = lines
        .map(|(text, label)| format!("{}\n", serde_json::json!({"text": text, "label": label})));
    lines.collect::<String>().into_bytes()
}

fn hub() -> FakeHub {
    let hub = FakeHub::start();
    let dataset = FakeDataset::new(
        "acme/reviews",
        &[
            ("README.md", CARD.as_bytes()),
            ("books/train.jsonl", &rows(0, 20)),
            ("films/dev.jsonl", &rows(160, 180)),
            ("films/rest.jsonl", b"{\"text\": \"a\"}\n"),
            ("films/test.jsonl", &rows(180, 200)),
            ("films/train.jsonl", &rows(0, 160)),
        ],
    );
    hub.server().datasets.push(dataset);
    hub.server().renamed.push(("reviews", "acme/reviews"));
    hub
}

fn run(scratch: &Scratch, hub: &FakeHub, online: bool, arguments: &[&str]) -> Run {
    let mut command = scratch.command(arguments);
    command
        .env("HF_ENDPOINT", &hub.endpoint)
        .env("HF_HUB_OFFLINE", if online { "0" } else { "1" });
    Run::new(arguments, command.output().unwrap())
}

#[test]
fn train_resume_replay_and_evaluate_by_name() {
    let (scratch, hub) = (Scratch::new(), hub());
    let model = fixtures::path("tiny_bert");
    let train = [
        "train",
        "--model",
        argument(&model),
        "--dataset",
        "reviews",
        "--dataset-config",
        "films",
        "--epochs",
        "4",
        "--learning-rate",
        "1e-3",
        "--output",
        "run",
        "--json",
    ];
    let trained = run(&scratch, &hub, true, &train).succeeded();
    let results = trained.json();
    assert_eq!(results["test"]["rows"], 20);
    // Only what the run needs was downloaded.
    let paths: Vec<_> = hub
        .take_requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    for (file, wanted) in [
        ("train", true),
        ("dev", true),
        ("test", true),
        ("rest", false),
    ] {
        let name = format!("/{COMMIT}/films/{file}.jsonl");
        assert_eq!(
            paths.iter().any(|path| path.ends_with(&name)),
            wanted,
            "{paths:?}"
        );
    }
    assert!(
        !paths.iter().any(|path| path.contains("books/")),
        "{paths:?}"
    );
    let plan: toml::Table =
        toml::from_str(&String::from_utf8(scratch.read("run/plan.toml")).unwrap()).unwrap();
    for (key, value) in [
        ("dataset", "reviews"),
        ("dataset_config", "films"),
        ("dataset_revision", COMMIT),
        ("validation_split", "validation"),
    ] {
        assert_eq!(plan[key].as_str(), Some(value), "{key}");
    }
    let labels: Vec<_> = plan["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(labels, samples::CLASSES);

    // Without the hub from here on. A run that lost its end goes on to the same result.
    std::fs::remove_file(scratch.path("run/results.json")).unwrap();
    let resumed = run(&scratch, &hub, false, &["resume", "run", "--json"]).succeeded();
    assert_eq!(resumed.json()["test"], results["test"]);
    let replayed = run(&scratch, &hub, false, &["replay", "run", "--json"]).succeeded();
    assert_eq!(replayed.json()["equal"], true);
    let evaluate = [
        "evaluate",
        "run/model",
        "--dataset",
        "reviews",
        "--dataset-config",
        "films",
        "--split",
        "test",
        "--json",
    ];
    let evaluated = run(&scratch, &hub, false, &evaluate).succeeded().json();
    assert_eq!(evaluated["accuracy"], results["test"]["accuracy"]);
    // By default too, though one of the splits was never downloaded; and the data set is remembered.
    for line in [&evaluate[..6], &evaluate[..2]] {
        let line = [line, &["--json"]].concat();
        let evaluated = run(&scratch, &hub, false, &line).succeeded().json();
        assert_eq!(evaluated["accuracy"], results["test"]["accuracy"]);
    }
    assert!(hub.take_requests().is_empty());
}

#[test]
fn what_cannot_be_had_says_what_to_do() {
    let (scratch, hub) = (Scratch::new(), hub());
    let model = fixtures::path("tiny_bert");
    let refused = |online: bool, options: &[&str], words: &[&str]| {
        let train = [
            "train",
            "--model",
            argument(&model),
            "--output",
            "run",
            "--dataset",
        ];
        let run = run(&scratch, &hub, online, &[&train, options].concat());
        run.refused(words);
        assert!(!scratch.path("run").exists());
    };
    refused(
        true,
        &["acme/reviews"],
        &["2 configurations", "films, books", "--dataset-config films"],
    );
    refused(
        true,
        &[
            "acme/reviews",
            "--dataset-config",
            "films",
            "--train-split",
            "extra",
        ],
        &["extra", "train, dev, test, unlabelled"],
    );
    refused(
        true,
        &["acme/revews"],
        &["acme/revews", "404", "It has acme/reviews"],
    );
    refused(
        false,
        &["acme/others"],
        &["HF_HUB_OFFLINE", "cache:", "acme/others"],
    );
    refused(true, &["reviews.csv"], &["reviews.csv"]);
    refused(
        true,
        &["./reviews", "--dataset-config", "films"],
        &["--dataset-config is for data sets on the hub"],
    );
    // A directory whose name is misspelt is not only looked for on the hub.
    scratch.write("letters/train.jsonl", rows(0, 20));
    refused(false, &["leters"], &["letters", "HF_HUB_OFFLINE"]);
    hub.server().needs_token = true;
    let page = format!("{}/datasets/acme/gated", hub.endpoint);
    refused(true, &["acme/gated"], &["HTTP 401", "HF_TOKEN", &page]);
}
