//! `finetune sweep`: trials that a file describes, and the commands of docs/sweep.md.

use std::{collections::BTreeSet, fs, process::Stdio, thread, time::Instant};

use serde_json::{Value, json};

use crate::{
    command::{Scratch, argument},
    fixtures::{self, root},
    markdown::{block, commands, words},
    samples,
};

const VARY: &str =
    "[vary]\nlearning_rate = { min = 1e-5, max = 1e-2, log = true }\nbatch_size = [8, 16]\n";

/// A description with these lines above and below its base, and the data it needs.
fn described(above: &str, below: &str) -> Scratch {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let base = format!(
        "{above}\n[base]\nmodel = '{}'\ndataset = 'data'\ndevice = 'cpu'\n{below}",
        argument(&model)
    );
    scratch.write("sweep.toml", base);
    scratch
}

/// What is the same in every repetition: everything but times.
fn lasting(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| *key != "seconds");
            kept.map(|(key, value)| (key.clone(), lasting(value)))
                .collect()
        }
        Value::Array(list) => list.iter().map(lasting).collect(),
        other => other.clone(),
    }
}

fn trials(scratch: &Scratch, folder: &str) -> Vec<Value> {
    let outcome = scratch.json(&format!("{folder}/sweep.json"));
    outcome["trials"].as_array().unwrap().clone()
}

#[test]
fn every_command_of_its_text_works() {
    let text = fs::read_to_string(root().join("docs/sweep.md")).unwrap();
    let scratch = Scratch::new();
    scratch.write("reviews.csv", samples::csv(&samples::examples(100)));
    let model = fixtures::path("tiny_bert");
    let base = format!("[base]\nmodel = '{}'\n", argument(&model));
    let description = block(&text, "toml").replace("\r\n", "\n");
    let (above, below) = description.split_once("[base]").unwrap();
    let below = below.split_once('\n').unwrap().1;
    scratch.write("sweep.toml", format!("{above}{base}{below}"));
    let mut typed = 0;
    for line in commands(&text) {
        let line = words(&line);
        if line[0] != "finetune" {
            continue;
        }
        let arguments: Vec<_> = line[1..].iter().map(String::as_str).collect();
        scratch.run(&arguments).succeeded();
        typed += 1;
    }
    assert_eq!(typed, 6);
    // 9 trials after one epoch, 4 after two, 2 to the end.
    let epochs: Vec<_> = trials(&scratch, "runs/sweep")
        .iter()
        .map(|trial| trial["epoch"].as_f64().unwrap())
        .collect();
    assert_eq!(epochs.iter().filter(|epochs| **epochs == 4.0).count(), 2);
    assert_eq!(epochs.iter().sum::<f64>(), 5.0 + 2.0 * 2.0 + 2.0 * 4.0);
    let outcome = scratch.json("runs/sweep/sweep.json");
    // The best options, trained without a pause, give the same bits.
    let best = outcome["best"].as_str().unwrap();
    let results = |run: &str| scratch.json(&format!("{run}/results.json"));
    let (trial, whole) = (results(&format!("runs/sweep/{best}")), results("runs/best"));
    assert_eq!(trial["validation"], whole["validation"]);
    assert_eq!(trial["train"]["loss"], whole["train"]["loss"]);
    // Shards that were merged and went on give the same table.
    assert_eq!(
        lasting(&scratch.json("runs/sweep-all/sweep.json")),
        lasting(&outcome)
    );
}

/// The best of successive halving is as good as the best of all, and takes a fraction of the steps.
#[test]
fn halving_finds_the_best_with_a_fraction_of_the_steps() {
    let scratch = described(
        "trials = 9\nobjective = 'loss'",
        &format!("epochs = 9.0\n{VARY}"),
    );
    scratch
        .run(&["sweep", "sweep.toml", "-o", "all", "--jobs", "2"])
        .succeeded();
    let text = String::from_utf8(scratch.read("sweep.toml")).unwrap();
    scratch.write("halving.toml", format!("method = 'halving'\n{text}"));
    let run = scratch
        .run(&["sweep", "halving.toml", "-o", "halving"])
        .succeeded();
    // In which epoch the difference shows depends on the processor.
    assert!(run.stdout.contains("stopped after "), "{run}");
    let of = |folder: &str| {
        let outcome = scratch.json(&format!("{folder}/sweep.json"));
        (
            outcome["trials"][0]["value"].as_f64().unwrap(),
            outcome["steps"].as_f64().unwrap(),
        )
    };
    let ((best, steps), (found, taken)) = (of("all"), of("halving"));
    assert!(found <= 1.02 * best, "{found}, not {best}");
    // 6 trials × 1 epoch, 2 × 3 and 1 × 9 of 9 × 9.
    assert!(taken / steps < 0.28, "{taken} of {steps} steps");
    let stopped = &trials(&scratch, "halving")[8];
    assert_eq!(stopped["state"], json!({"stopped": {"epochs": 1}}));
}

/// Kills the command at moments of its life, and compares with a sweep that nobody killed.
#[cfg(unix)]
#[test]
fn killed_ten_times_the_table_is_the_same() {
    let scratch = described(
        "method = 'halving'\ntrials = 4",
        &format!("epochs = 4.0\n[halving]\nfactor = 2\n{VARY}"),
    );
    let begun = Instant::now();
    scratch
        .run(&["sweep", "sweep.toml", "-o", "whole"])
        .succeeded();
    let whole = begun.elapsed();
    let (mut kills, mut wait) = (0, whole / 20);
    while kills < 10 {
        let mut child = scratch
            .command(&["sweep", "sweep.toml", "-o", "out"])
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
        .run(&["sweep", "sweep.toml", "-o", "out"])
        .succeeded();
    let [first, second] =
        ["whole", "out"].map(|name| lasting(&scratch.json(&format!("{name}/sweep.json"))));
    assert_eq!(first, second);
    assert_eq!(
        scratch.read("whole/best.toml"),
        scratch.read("out/best.toml")
    );
}

/// Two shards at once in one directory give the trials of one.
#[test]
fn shards_share_a_directory() {
    let scratch = described(
        "method = 'random'\ntrials = 5",
        &format!("epochs = 1.0\n{VARY}"),
    );
    scratch
        .run(&["sweep", "sweep.toml", "-o", "one"])
        .succeeded();
    let shards = ["1/2", "2/2"].map(|shard| {
        scratch
            .command(&["sweep", "sweep.toml", "-o", "two", "--shard", shard])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    });
    for mut shard in shards {
        assert!(shard.wait().unwrap().success());
    }
    assert_eq!(
        lasting(&scratch.json("two/sweep.json")),
        lasting(&scratch.json("one/sweep.json"))
    );
    // More trials keep those that are there.
    let text = String::from_utf8(scratch.read("sweep.toml")).unwrap();
    scratch.write("sweep.toml", text.replace("trials = 5", "trials = 6"));
    scratch
        .run(&["sweep", "sweep.toml", "-o", "one"])
        .succeeded();
    let names = |folder: &str| -> BTreeSet<String> {
        let trials = trials(&scratch, folder);
        let names = trials.iter().map(|trial| trial["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };
    assert!(names("one").is_superset(&names("two")) && names("one").len() == 6);
    scratch.write("sweep.toml", text.replace("1e-5", "1e-6"));
    scratch.refuses(
        &["sweep", "sweep.toml", "-o", "one"],
        &["another description", "learning_rate.min was"],
    );
}

#[test]
fn poor_trials_stop_by_the_median_rule() {
    let vary = "[vary]\nlearning_rate = [1e-3, 5e-4, 2e-3, 1e-9, 1e-10]\n";
    let scratch = described(
        "method = 'grid'\nobjective = 'loss'",
        &format!("epochs = 3.0\n[median]\nstartup = 3\n{vary}"),
    );
    let run = scratch
        .run(&["sweep", "sweep.toml", "-o", "out"])
        .succeeded();
    // In which epoch the difference shows depends on the processor.
    assert!(run.stdout.contains("stopped after "), "{run}");
    let trials = trials(&scratch, "out");
    let stopped = trials.iter().filter(|trial| trial["state"] != "complete");
    let rates: Vec<_> = stopped
        .map(|trial| trial["settings"][0].as_f64().unwrap())
        .collect();
    assert_eq!(rates.len(), 2, "{trials:?}");
    assert!(rates.iter().all(|rate| *rate < 1e-8), "{rates:?}");
}

#[test]
fn a_failed_trial_is_reported_and_the_rest_is_done() {
    let scratch = described(
        "method = 'grid'",
        "epochs = 1.0\n[vary]\ntext_column = [['text'], ['nothing']]\n",
    );
    let run = scratch.run(&["sweep", "sweep.toml", "-o", "out"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stdout.contains("failed with exit code 2: "), "{run}");
    let trials = trials(&scratch, "out");
    assert_eq!(trials[0]["state"], "complete");
    assert!(
        trials[1]["state"]["failed"]
            .as_str()
            .unwrap()
            .contains("nothing")
    );
}

/// When the time is over, what runs is left as after Ctrl-C, and the same command goes on.
#[cfg(unix)]
#[test]
fn a_time_is_kept() {
    let scratch = described(
        "time = '2s'",
        "epochs = 100000.0\n[vary]\nlearning_rate = { min = 1e-5, max = 1e-2, log = true }\n",
    );
    let text = String::from_utf8(scratch.read("sweep.toml")).unwrap();
    let sessions = || {
        let trials = trials(&scratch, "out");
        let trial = trials.first()?;
        assert_eq!((trials.len(), &trial["state"]), (1, &json!("unfinished")));
        let manifest = format!("out/{}/manifest.json", trial["name"].as_str()?);
        Some(scratch.json(&manifest)["sessions"].as_array()?.len())
    };
    // However slow the machine, some time is enough for a second session.
    for doubled in 1..9 {
        let run = scratch
            .run(&["sweep", "sweep.toml", "-o", "out"])
            .succeeded();
        assert!(run.stderr.contains("the time is over"), "{run}");
        if sessions() >= Some(2) {
            return;
        }
        scratch.write(
            "sweep.toml",
            text.replace("2s", &format!("{}s", 2 << doubled)),
        );
    }
    panic!("no second session");
}

#[test]
fn wrong_sweeps_are_refused_before_anything_is_trained() {
    for (above, below, words) in [
        (
            "trials = 3",
            "[vary]\nstrategi = ['head', 'full']\n",
            "did you mean strategy?",
        ),
        ("trial = 3", VARY, "did you mean trials?"),
        ("trials = 3", "[vary]\n", "nothing varies"),
        ("trials = 0", VARY, "trials is 0"),
        (
            "trials = 3",
            "[vary]\nepochs = [1.0]\noutput = ['a', 'b']\n",
            "output cannot vary",
        ),
        (
            "trials = 3",
            "[vary]\nlearning_rate = ['much', 'little']\n",
            "[vary]: ",
        ),
        (
            "trials = 3",
            "[vary]\nlearning_rate = { min = 0.0, max = 1.0, log = true }\n",
            "expected min above 0",
        ),
        (
            "trials = 30",
            "[vary]\nbatch_size = [8, 16]\n",
            "has only 2 different settings",
        ),
        ("", VARY, "it has no end"),
    ] {
        let scratch = described(above, below);
        scratch.refuses(
            &["sweep", "sweep.toml", "-o", "out"],
            &["sweep.toml", words],
        );
    }
    let scratch = described("trials = 2", &format!("epochs = 1.0\n{VARY}"));
    let sweep = ["sweep", "sweep.toml", "-o", "out"];
    scratch.refuses(&[&sweep[..], &["--shard", "3/2"]].concat(), &["3/2", "K/N"]);
    scratch.refuses(
        &["sweep", "sweep.toml", "-o", "data"],
        &["not the directory of a sweep"],
    );
    scratch.refuses(&["sweep", "absent.toml"], &["absent.toml"]);
    scratch.refuses(
        &["sweep", "merge", "data", "-o", "out"],
        &["data: it has no sweep.toml"],
    );
    scratch.write("a/sweep.toml", scratch.read("sweep.toml"));
    let other = String::from_utf8(scratch.read("sweep.toml")).unwrap();
    scratch.write("b/sweep.toml", other.replace("1e-5", "1e-6"));
    scratch.refuses(
        &["sweep", "merge", "a", "b", "-o", "out"],
        &["another description than that of a", "learning_rate.min"],
    );
}
