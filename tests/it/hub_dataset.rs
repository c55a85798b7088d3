//! Data sets by name, through the program, from a local hub.

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

/// A card that says how its CSV is written and what its digits mean: the same rows and classes from the
/// hub, and from a folder that was cloned from it.
#[test]
fn a_card_says_how_csv_is_read() {
    let card = |settings: &str| {
        format!(
            "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: a.csv\n  - split: test\n    path: b.csv\n{settings}dataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': zebra\n          '1': ant\n---\n"
        )
    };
    let settings = "  sep: \";\"\n  quoting: 3\n  encoding: cp1252\n  header: null\n  names: [text, label]\n  skip_blank_lines: true\n";
    let rows = |from: usize, to: usize| -> Vec<u8> {
        let examples = samples::examples(200);
        let lines = examples[from..to]
            .iter()
            // Numbers and names side by side, as `datasets` takes them.
            .map(|(text, label)| match (text.len() % 5, *label) {
                (0, 0) => format!("{text} \"caf\u{e9};zebra\n"),
                (_, label) => format!("{text} \"caf\u{e9};{label}\n"),
            });
        lines.collect::<String>().chars().map(|c| c as u8).collect()
    };
    let files = [
        ("README.md", card(settings).into_bytes()),
        ("a.csv", rows(0, 60)),
        ("b.csv", rows(60, 80)),
    ];
    let hub = FakeHub::start();
    let shown: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (*name, bytes.as_slice()))
        .collect();
    hub.server()
        .datasets
        .push(FakeDataset::new("acme/semicolons", &shown));
    let scratch = Scratch::new();
    for (name, bytes) in &files {
        scratch.write(&format!("cloned/{name}"), bytes);
    }
    let model = fixtures::path("tiny_bert");
    let train = |dataset: &str, output: &str| {
        let line = [
            "train",
            "--model",
            argument(&model),
            "--dataset",
            dataset,
            "--max-steps",
            "2",
            "--output",
            output,
            "--json",
        ];
        run(&scratch, &hub, true, &line)
    };
    let (remote, local) = (train("acme/semicolons", "r"), train("cloned", "l"));
    let (remote, local) = (remote.succeeded(), local.succeeded());
    for run in [&remote, &local] {
        for note in [
            "note: CSV is read as the card says: delimiter ;, quoting none, encoding cp1252, columns text, label, no header",
            "note: the card sets skip_blank_lines",
            "note: the classes of column `label` are named by the data set's card: zebra, ant",
        ] {
            assert_eq!(run.stderr.matches(note).count(), 1, "{note}\n{run}");
        }
    }
    assert_eq!(remote.json()["test"], local.json()["test"]);
    assert_eq!(local.json()["test"]["rows"], 20);
    let plan = |run: &str| -> toml::Table {
        let plan = scratch.read(&format!("{run}/plan.toml"));
        toml::from_str(&String::from_utf8(plan).unwrap()).unwrap()
    };
    let labels = toml::Value::from(vec!["zebra", "ant"]);
    assert_eq!(
        (&plan("r")["labels"], &plan("l")["labels"]),
        (&labels, &labels)
    );
    let replayed = run(&scratch, &hub, true, &["replay", "l", "--json"]).succeeded();
    assert_eq!(replayed.json()["equal"], true);

    // What is neither a name nor a number of a class is refused with its row.
    let broken = [&rows(0, 60)[..], b"odd;2\n"].concat();
    scratch.write("cloned/a.csv", broken);
    train("cloned", "x").refused(&["a.csv, row 60 (line 61)", "\"2\"", "zebra, ant", "0 to 1"]);
    scratch.write("cloned/a.csv", rows(0, 60));
    scratch.write("cloned/README.md", card("  names: [text]\n"));
    train("cloned", "x").refused(&["a.csv", "columns are named: text"]);
    // A README.md that is no card decides nothing.
    scratch.write("plain/train.csv", samples::csv(&samples::examples(60)));
    scratch.write("plain/README.md", "---\nconfigs: 3\n---\n");
    let plain = train("plain", "p").succeeded();
    assert!(
        plain.stderr.contains("README.md") && plain.stderr.contains("it is ignored"),
        "{plain}"
    );
}

/// The configurations of a folder's card are chosen by name, and stay with the run.
#[test]
fn a_folder_with_configurations() {
    let (scratch, hub) = (Scratch::new(), hub());
    scratch.write("cloned/README.md", CARD);
    for (file, from, to) in [
        ("train", 0, 80),
        ("dev", 80, 100),
        ("test", 100, 120),
        ("rest", 0, 1),
    ] {
        scratch.write(&format!("cloned/films/{file}.jsonl"), rows(from, to));
    }
    scratch.write("cloned/books/train.jsonl", rows(0, 20));
    let model = fixtures::path("tiny_bert");
    let train = [
        "train",
        "--model",
        argument(&model),
        "--dataset",
        "cloned",
        "--max-steps",
        "2",
        "--output",
        "run",
        "--json",
    ];
    let refused = run(&scratch, &hub, false, &train);
    refused.refused(&["2 configurations", "--dataset-config films"]);
    let named = [&train[..], &["--dataset-config", "films"]].concat();
    let trained = run(&scratch, &hub, false, &named).succeeded();
    assert_eq!(trained.json()["test"]["rows"], 20);
    let evaluated = run(&scratch, &hub, false, &["evaluate", "run/model", "--json"]).succeeded();
    assert_eq!(evaluated.json()["loss"], trained.json()["test"]["loss"]);
}
