//! `--strategy contrastive`: few labels, compared in pairs.

use serde_json::Value;

use crate::{
    command::{Run, Scratch, split},
    samples,
};

/// A directory with 40 training rows of each class.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch.write("data/train.csv", samples::csv(&samples::examples(80)));
    scratch
}

fn train(scratch: &Scratch, options: &str) -> Run {
    let fixed = "--dataset data --strategy contrastive --learning-rate 5e-3";
    scratch.train(&split(&format!("{fixed} {options}")))
}

#[test]
fn the_encoder_learns_from_pairs() {
    let scratch = scratch();
    let options = "--epochs 3 --set contrastive.max_pairs=1600 --json";
    let run = train(&scratch, options).succeeded();
    // What is printed counts pairs, and has no padding, of which nothing is known.
    for words in [
        "on 80 rows in 1,600 pairs per epoch, 20 for validation",
        " pairs/s",
    ] {
        assert!(run.stderr.contains(words), "no {words:?} in {run}");
    }
    for words in ["padding", "samples/s"] {
        assert!(!run.stderr.contains(words), "{words:?} in {run}");
    }
    let results = run.json();
    let accuracy = |at: &str| results[at]["accuracy"].as_f64().unwrap();
    assert!(accuracy("test") > 0.8, "{results}");
    assert!(accuracy("validation") > accuracy("before"), "{results}");
    // There are 1,560 pairs of the same class and 1,600 of others; 1,600 of both make 100 batches.
    let events = scratch.json_lines("run/events.jsonl");
    let steps: Vec<&Value> = events
        .iter()
        .filter(|event| event["event"] == "step")
        .collect();
    assert_eq!(steps.len(), 3 * 100);
    assert_eq!(
        (&steps[0]["rows"], &steps[0]["pairs"]),
        (&32.into(), &16.into())
    );
    assert_eq!(events[0]["pairs_per_epoch"], 1600);
    assert_eq!(events[0].get("padding_avoided"), None);
    let (speed, seconds) = (
        &results["train"]["samples_per_second"],
        &results["train"]["seconds"],
    );
    let pairs = speed.as_f64().unwrap() * seconds.as_f64().unwrap();
    assert!((pairs - 4800.0).abs() < 1.0, "{results}");
    let loss = |steps: &[&Value]| -> f64 {
        let losses = steps.iter().map(|step| step["loss"].as_f64().unwrap());
        losses.sum()
    };
    assert!(loss(&steps[200..]) < 0.1 * loss(&steps[..100]));
    // The model says how it pools, and predicts and evaluates like any other.
    assert_eq!(scratch.json("run/model/config.json")["pooling"], "mean");
    let again = scratch.run(&split("evaluate run/model --split test --json"));
    let again = again.succeeded().json();
    assert_eq!(again["accuracy"], results["test"]["accuracy"]);
    let text = "the film was bad .";
    let run = scratch.run(&["predict", "--model", "run", "--json", text]);
    assert_eq!(run.succeeded().json_lines().len(), 1);
    // It is a model to go on from, by any strategy.
    let on = "train --model run --dataset data --strategy head --epochs 1 --output on";
    scratch.run(&split(on)).succeeded();
}

#[test]
fn a_run_is_resumed_to_the_same_bits() {
    let scratch = scratch();
    let line = |output: &str| {
        let line = format!(
            "train --model run/model --dataset data --strategy contrastive --max-steps 6 --save-steps 2 --output {output}"
        );
        scratch.run(&split(&line)).succeeded();
    };
    train(&scratch, "--max-steps 2").succeeded();
    line("whole");
    line("half");
    // As if the session had been killed after step 4.
    for gone in ["results.json", "model", "checkpoints/step-000006"] {
        let gone = scratch.path("half").join(gone);
        let _ = std::fs::remove_dir_all(&gone);
        let _ = std::fs::remove_file(&gone);
    }
    let run = scratch.run(&split("resume half")).succeeded();
    assert!(run.stderr.contains("resume  "), "{run}");
    let read = |run: &str| scratch.read(&format!("{run}/model/model.safetensors"));
    assert!(read("whole") == read("half"));
    scratch.run(&split("replay whole")).succeeded();
}

#[test]
fn what_has_no_pairs_is_refused() {
    let scratch = scratch();
    let refused = |options: &str, words: &[&str]| {
        let fixed = format!("--dataset data --strategy contrastive {options}");
        scratch.refuses_train(&split(&fixed), words);
    };
    refused("--batch-tokens 500", &["batch_tokens", "contrastive"]);
    refused("--length-buckets 4", &["length_buckets", "contrastive"]);
    refused(
        "--class-weights balanced",
        &["class_weights", "contrastive"],
    );
    refused("--ema-decay 0.9", &["ema_decay", "contrastive"]);
    refused("--head-learning-rate 1", &["head_learning_rate", "head_c"]);
    refused("--unfreeze-every 1", &["--strategy gradual"]);
    refused("--frozen-dropout", &["frozen_dropout", "contrastive"]);
    refused(
        "--set feature_cache.disk_bytes=0",
        &["feature_cache", "contrastive"],
    );
    refused("--set contrastive.head_c=0", &["head_c is 0", "above 0"]);
    let settings = "--dataset data --strategy full --set contrastive.head_c=2";
    scratch.refuses_train(&split(settings), &["--strategy contrastive"]);
    let scores: String = (0..60).map(|row| format!("a film,{row}.5\n")).collect();
    scratch.write("scores.csv", format!("text,score\n{scores}"));
    scratch.refuses_train(
        &split("--dataset scores.csv --label-column score --strategy contrastive"),
        &["regression", "--strategy full"],
    );
    // A single text of a class.
    let mut rows = samples::examples(9);
    let last = rows.pop().unwrap();
    rows.retain(|row| row.1 != last.1);
    rows.push(last.clone());
    scratch.write("data/train.csv", samples::csv(&rows));
    let class = samples::CLASSES[last.1];
    refused("", &[class, "single training text", "--strategy full"]);
    scratch
        .train(&split("--dataset data --strategy full --max-steps 1"))
        .succeeded();
}
