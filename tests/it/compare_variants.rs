//! `finetune compare`: variants that a file describes, and runs that exist.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    command::{Scratch, argument},
    fixtures, samples,
};

/// A description with these lines above the tables, and the data it needs.
fn described(lists: &str, tables: &str) -> Scratch {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let base = format!(
        "{lists}\n[base]\nmodel = '{}'\ndataset = 'data'\nepochs = 1.0\ndevice = 'cpu'\n{tables}",
        argument(&model)
    );
    scratch.write("lab.toml", base);
    scratch
}

const VARIANTS: &str =
    "[variants.full]\nlearning_rate = 1e-3\n[variants.head]\nstrategy = 'head'\n";

/// What is the same in every repetition: everything but times, memory and places.
fn lasting(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let is_lasting = |key: &str| {
                let measured = [
                    "seconds",
                    "per_second",
                    "memory",
                    "directory",
                    "pareto",
                    "machine",
                ];
                !measured.iter().any(|word| key.contains(word))
            };
            let kept = map.iter().filter(|(key, _)| is_lasting(key));
            kept.map(|(key, value)| (key.clone(), lasting(value)))
                .collect()
        }
        Value::Array(list) => list.iter().map(lasting).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_description_becomes_a_table() {
    let scratch = described("seeds = [1, 2]", VARIANTS);
    let run = scratch
        .run(&["compare", "lab.toml", "-o", "out"])
        .succeeded();
    for words in [
        "full",
        "head",
        "accuracy",
        "p (seeds)",
        "by Student's t",
        "training time",
    ] {
        assert!(run.stdout.contains(words), "no {words:?} in {run}");
    }
    let table = scratch.json("out/compare.json");
    let rows = table["rows"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["full", "head"]);
    let mean = |row: &Value| {
        let runs = row["runs"].as_array().unwrap();
        runs.iter()
            .map(|run| run["value"].as_f64().unwrap())
            .sum::<f64>()
            / runs.len() as f64
    };
    for row in rows {
        assert_eq!(row["runs"].as_array().unwrap().len(), 2);
        assert!((row["score"]["mean"].as_f64().unwrap() - mean(row)).abs() < 1e-12);
        assert_eq!(row["score"]["interval"]["over"], "seeds");
        assert!(row["seconds_per_1000"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["model_bytes"].as_f64().unwrap() > 1000.0, "{row}");
    }
    assert_eq!(rows[1]["change"]["seeds"]["pairs"], 2);
    let run = scratch.json("out/head-seed-2/results.json");
    assert_eq!(rows[1]["runs"][1]["value"], run["test"]["accuracy"]);
    let csv = String::from_utf8(scratch.read("out/compare.csv")).unwrap();
    assert_eq!(csv.lines().count(), 3);
    assert!(
        String::from_utf8(scratch.read("out/compare.md"))
            .unwrap()
            .contains("| full |")
    );

    // The same command does nothing again, and more seeds are added.
    let before = scratch.read("out/full-seed-1/manifest.json");
    let again = scratch
        .run(&["compare", "lab.toml", "-o", "out"])
        .succeeded();
    assert!(
        again.stderr.contains("full-seed-1: complete already"),
        "{again}"
    );
    assert_eq!(scratch.json("out/compare.json"), table);
    let text = String::from_utf8(scratch.read("lab.toml")).unwrap();
    scratch.write("lab.toml", text.replace("[1, 2]", "[1, 2, 3]"));
    scratch
        .run(&["compare", "lab.toml", "-o", "out", "--jobs", "2"])
        .succeeded();
    assert_eq!(
        scratch.json("out/compare.json")["rows"][0]["runs"][2]["seed"],
        3
    );
    assert_eq!(scratch.read("out/full-seed-1/manifest.json"), before);

    // Other options are refused, and what is there stays.
    scratch.write("lab.toml", text.replace("epochs = 1.0", "epochs = 2.0"));
    let words = [
        "full-seed-1 has begun with other options",
        "epochs was 1.0 and is now 2.0",
    ];
    scratch.refuses(&["compare", "lab.toml", "-o", "out"], &words);

    // Runs that exist give the same numbers, whether grouped by plan or by name.
    let runs = [
        "out/full-seed-1",
        "out/full-seed-2",
        "out/head-seed-1",
        "out/head-seed-2",
    ];
    let found = scratch
        .run(&[&["compare", "--json"], &runs[..]].concat())
        .succeeded();
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    let scores = |table: &Value| {
        let rows = table["rows"].as_array().unwrap();
        rows.iter()
            .map(|row| (row["name"].clone(), row["score"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(scores(&found), scores(&table));
    let named = runs.map(|run| format!("{}={run}", if run.contains("full") { "a" } else { "b" }));
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    scratch
        .run(&[&["compare", "-o", "table"], &named[..]].concat())
        .succeeded();
    assert_eq!(scratch.json("table/compare.json")["rows"][1]["name"], "b");
}

/// Kills the command ten times at moments of its life, and compares with a comparison that nobody killed.
#[cfg(unix)]
#[test]
fn killed_ten_times_the_table_is_the_same() {
    let scratch = described("seeds = [1, 2]\nrows = [40, 80]", VARIANTS);
    let begun = Instant::now();
    scratch
        .run(&["compare", "lab.toml", "-o", "whole"])
        .succeeded();
    let whole = begun.elapsed();
    let (mut kills, mut wait) = (0, whole / 20);
    while kills < 10 {
        let mut child = scratch
            .command(&["compare", "lab.toml", "-o", "out"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(wait);
        match child.try_wait().unwrap() {
            // It was faster than the first time, so it begins again.
            Some(status) => {
                assert!(status.success(), "{status}");
                fs::remove_dir_all(scratch.path("out")).unwrap();
                wait /= 2;
            }
            None => {
                child.kill().unwrap();
                kills += 1;
            }
        }
        child.wait().unwrap();
    }
    scratch
        .run(&["compare", "lab.toml", "-o", "out"])
        .succeeded();
    let [first, second] =
        ["whole", "out"].map(|name| lasting(&scratch.json(&format!("{name}/compare.json"))));
    assert_eq!(first, second);
    assert_eq!(first["rows"].as_array().unwrap().len(), 4);
}

/// Ctrl-C ends the running one in its own way, and a process whose runner was killed ends too.
#[cfg(target_os = "linux")]
#[test]
fn processes_end_with_the_command() {
    let scratch = described("seeds = [1, 2]", "epochs = 3000.0\n");
    let text = String::from_utf8(scratch.read("lab.toml")).unwrap();
    scratch.write("lab.toml", text.replacen("epochs = 1.0\n", "", 1));
    let lock: PathBuf = scratch.path("out/base-seed-1/.lock");
    let events = scratch.path("out/base-seed-1/events.jsonl");
    for signal in ["-INT", "-KILL"] {
        let mut child = scratch
            .command(&["compare", "lab.toml", "-o", "out"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(300);
        let steps = || fs::read_to_string(&events).is_ok_and(|log| log.contains("\"step\""));
        while !(steps() && lock.exists()) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        let pid = child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
        let status = child.wait().unwrap();
        if signal == "-INT" {
            assert_eq!(status.code(), Some(130));
            assert!(!lock.exists() && !scratch.path("out/base-seed-2").exists());
        }
        while lock.exists() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(!lock.exists(), "a run goes on after {signal}");
    }
}

#[test]
fn a_failed_variant_is_reported_and_the_rest_is_done() {
    let scratch = described(
        "",
        "[variants.works]\n[variants.fails]\ntext_column = 'nothing'\n",
    );
    let run = scratch.run(&["compare", "lab.toml", "-o", "out"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.stderr.contains("fails: failed with exit code 2"),
        "{run}"
    );
    assert!(
        run.stdout.contains("fails: failed with exit code 2: ") && run.stdout.contains("nothing"),
        "{run}"
    );
    let rows = scratch.json("out/compare.json");
    assert!(rows["rows"][0]["score"]["mean"].is_number(), "{rows}");
    assert_eq!(rows["rows"][1]["incomplete"][0]["reason"]["code"], 2);
}

#[test]
fn wrong_descriptions_are_refused_before_anything_is_trained() {
    for (lists, tables, words) in [
        (
            "",
            "[variants.a]\nstrategi = 'head'\n",
            "did you mean strategy?",
        ),
        ("seed = [1, 2]", "", "did you mean seeds?"),
        ("", "[grid]\n", "[grid] is empty"),
        ("", "[grid]\nbatch_size = []\n", "no values for batch_size"),
        (
            "",
            "[grid]\nepochs = [1.0, 2.0]\n",
            "epochs is in [base] and varied by [grid]",
        ),
        ("", "[variants.'a/b']\n", "it is no file name"),
        (
            "",
            "[grid]\nlearning_rate = ['much', 'little']\n",
            "[grid]: ",
        ),
        (
            "",
            "output = 'x'\n[variants.a]\n[variants.b]\n",
            "[base] has output",
        ),
        ("", "", "a single run"),
    ] {
        let scratch = described(lists, tables);
        scratch.refuses(&["compare", "lab.toml", "-o", "out"], &["lab.toml", words]);
    }
    let scratch = described("seeds = [1, 2]", "");
    scratch.refuses(
        &["compare", "lab.toml", "-o", "data"],
        &["not the directory of a comparison"],
    );
    scratch.refuses(&["compare", "lab.toml", "other"], &["one description or"]);
    scratch.refuses(&["compare", "absent.toml"], &["absent.toml"]);
    scratch.refuses(&["compare", "lab.toml", "--jobs", "0"], &["--jobs"]);
}

#[test]
fn runs_that_do_not_fit_are_refused_or_compared_without_tests() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let train = |run: &str, dataset: &str, more: &[&str]| {
        let model = fixtures::path("tiny_bert");
        let fixed = [
            "train",
            "--model",
            argument(&model),
            "--dataset",
            dataset,
            "--epochs",
            "1",
        ];
        scratch
            .run(&[&fixed[..], &["--output", run], more].concat())
            .succeeded();
    };
    train("a", "data", &[]);
    train("b", "data", &["--test-split", "test[:50%]"]);
    let run = scratch.run(&["compare", "a", "b"]).succeeded();
    for words in [
        "evaluated on different rows (20 rows and 10)",
        "Left out for b: paired tests",
    ] {
        assert!(run.stdout.contains(words), "no {words:?} in {run}");
    }
    let text = "text,label\na good film,x\na bad film,y\nthe plot,z\nthe story,x\nthe acting,y\na movie,z\n";
    scratch.write("three.csv", text.to_owned() + &text["text,label\n".len()..]);
    train(
        "c",
        "three.csv",
        &["--test-split", "train", "--validation-fraction", "0.5"],
    );
    scratch.refuses(
        &["compare", "a", "c"],
        &["a and c have different tasks", "x, y, z"],
    );
    scratch.refuses(&["compare", "a", "a"], &["with the same seed (42)"]);
    scratch.refuses(
        &["compare", "a", "--metric", "acuracy"],
        &["did you mean accuracy?"],
    );
    scratch.refuses(
        &["compare", "a", "nowhere"],
        &["nowhere is not a run: there is no such directory"],
    );
    scratch.refuses(&["compare", "a", "data"], &["it has no plan.toml"]);
    scratch.refuses(&["compare", "x="], &["names no run"]);
    fs::remove_file(scratch.path("b/results.json")).unwrap();
    scratch.refuses(&["compare", "a", "b"], &["b is not complete", "resume b"]);
}
