//! Disk errors at every single call by which a run writes its result, injected by the library of
//! `cargo xtask storm`.
#![cfg(target_os = "linux")]

use std::{fs, net::TcpListener, path::PathBuf, process::Command};

use finetune_files::is_partial;
use serde_json::Value;

use crate::{
    command::{Run, Scratch, argument, split},
    fixtures, samples,
};

/// The library, or `None` where there is no C compiler.
fn library(scratch: &Scratch) -> Option<String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../xtask/src/storm/fault.c");
    let library = scratch.path("fault.so");
    let compiled = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o", argument(&library), source])
        .output();
    let Ok(compiled) = compiled else {
        println!("skipped: there is no C compiler (cc)");
        return None;
    };
    assert!(compiled.status.success(), "{compiled:?}");
    Some(argument(&library).to_owned())
}

/// The best model is an early one, so it is copied from its checkpoint at the end. Where that fails the run
/// has not ended: nothing takes the best model's place, and `resume` finishes with the same bits.
#[test]
fn the_best_model_is_copied_or_the_run_has_not_ended() {
    let scratch = Scratch::new();
    let Some(library) = library(&scratch) else {
        return;
    };
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let train = split(
        "--dataset data --epochs 6 --save-steps 10 --eval-steps 10 --learning-rate 1e-2 \
         --metric-for-best-model accuracy --report-to none --json",
    );
    let train = [
        &["train", "--model", argument(&model), "--output", "run"],
        &train[..],
    ]
    .concat();
    let results = scratch.run(&train).succeeded().json();
    assert!(results["best_step"].as_u64().unwrap() < 60, "{results}");
    let weights = scratch.read("run/model/model.safetensors");
    let unfinished = || {
        fs::remove_dir_all(scratch.path("run/model")).ok();
        fs::remove_file(scratch.path("run/results.json")).ok();
    };
    let resume = ["resume", "run", "--json"];
    let with = |variables: &[(&str, &str)]| {
        let mut command = scratch.command(&resume);
        // Half-written models are folders whose names begin so.
        command
            .env("LD_PRELOAD", &library)
            .env("STORM_PATH", "run/.partial-");
        command.envs(variables.iter().copied());
        Run::new(&resume, command.output().unwrap())
    };
    unfinished();
    let counted = scratch.path("calls");
    with(&[("STORM_COUNT", argument(&counted))]).succeeded();
    let calls = String::from_utf8(scratch.read("calls")).unwrap();
    let calls: u64 = calls.trim().parse().unwrap();
    assert!(calls >= 8, "{calls} calls");
    let mut failed = 0;
    for call in 1..=calls {
        unfinished();
        let number = call.to_string();
        // EIO
        let run = with(&[("STORM_ERROR", &number), ("STORM_ERRNO", "5")]);
        let ended = scratch.path("run/results.json").exists();
        assert_eq!(run.code == Some(0), ended, "call {call}: {run}");
        if !ended {
            failed += 1;
            run.failed(run.code.unwrap(), &["nput/output error"]);
            assert!(!scratch.path("run/model").exists(), "call {call}");
            scratch.run(&resume).succeeded();
        }
        // Of a call whose failure does no harm the result is the same.
        let again = scratch.json("run/results.json");
        assert_eq!(again["best_step"], results["best_step"], "call {call}");
        assert_eq!(again["lost_best"], Value::Null);
        assert!(scratch.read("run/model/model.safetensors") == weights);
    }
    assert!(2 * failed > calls, "{failed} of {calls}");
}

/// A disk that is full from some call on, whichever it is: exit code 1 and the system's words, what was there
/// before stays, and nothing is left beside it.
#[test]
fn a_full_disk_is_not_the_users_mistake() {
    let scratch = Scratch::new();
    let Some(library) = library(&scratch) else {
        return;
    };
    samples::splits(&scratch, "csv");
    scratch
        .train(&split("--dataset data --max-steps 1 --strategy lora"))
        .succeeded();
    let model = fixtures::path("tiny_bert");
    let model = argument(&model);
    let counted = scratch.path("calls");
    scratch.write("calls", "");
    // The line, its files, and what it makes.
    for (line, path, result) in [
        ("merge run/model -o merged", "merged", "merged"),
        (
            "predict --model MODEL --file data/test.csv --output out.csv",
            "out.csv",
            "out.csv",
        ),
        (
            "predict --model MODEL --file data/test.csv --output out.parquet",
            "out.parquet",
            "out.parquet",
        ),
        (
            "train --model MODEL --dataset data --max-steps 2 --output two",
            "two/",
            "two",
        ),
    ] {
        let line = line.replace("MODEL", model);
        let line = split(&line);
        let with = |variables: &[(&str, &str)]| {
            let mut command = scratch.command(&line);
            command.env("LD_PRELOAD", &library).env("STORM_PATH", path);
            command.envs(variables.iter().copied());
            Run::new(&line, command.output().unwrap())
        };
        let remove = || {
            let result = scratch.path(result);
            match result.is_dir() {
                true => fs::remove_dir_all(result).unwrap(),
                false => fs::remove_file(result).unwrap_or_default(),
            }
        };
        with(&[("STORM_COUNT", argument(&counted))]).succeeded();
        let calls = String::from_utf8(scratch.read("calls")).unwrap();
        let calls: usize = calls.trim().parse().unwrap();
        assert!(calls >= 3, "{path}: {calls} calls");
        let (mut failed, mut tried) = (0, 0);
        for call in (1..=calls).step_by(calls.div_ceil(12)) {
            remove();
            tried += 1;
            let number = call.to_string();
            let before = scratch.entries();
            let run = with(&[("STORM_ERROR", &number), ("STORM_ALWAYS", "1")]);
            if run.code == Some(0) {
                continue;
            }
            failed += 1;
            run.failed(1, &[]);
            // In the system's words, or those of checkpoints.
            let words = ["No space left on device", "the disk is full"];
            assert!(words.iter().any(|word| run.stderr.contains(word)), "{run}");
            let left = scratch.entries();
            let left: Vec<_> = left.difference(&before).collect();
            match path {
                // A run that has begun can be resumed.
                "two/" => {
                    let partial = |path: &&PathBuf| {
                        path.components().any(|part| is_partial(part.as_os_str()))
                    };
                    let results = scratch.path("two/results.json");
                    assert!(!left.iter().any(partial), "{call}: {left:?}");
                    assert!(!results.exists(), "{call}: {run}");
                }
                _ => assert!(left.is_empty(), "{path}, {call}: {left:?}"),
            }
        }
        remove();
        assert!(2 * failed > tried, "{path}: {failed} of {tried}");
    }
}

/// Nobody listens where the hub should be: exit code 1, and nothing is left. A name that is no name, or that is
/// looked for in the cache alone, is the user's.
#[test]
fn a_dead_network_is_not_the_users_mistake() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let model = fixtures::path("tiny_bert");
    let model = argument(&model);
    for line in [
        "predict --model acme/nobody good".to_owned(),
        "train --model acme/nobody --dataset data --output run".to_owned(),
        format!("train --model {model} --dataset acme/nobody --output run"),
        format!("evaluate {model} --dataset acme/nobody"),
    ] {
        let line = split(&line);
        let before = scratch.entries();
        let mut command = scratch.command(&line);
        command.env("HF_ENDPOINT", &endpoint);
        let offline = Run::new(&line, command.output().unwrap());
        offline.refused(&["acme/nobody", "HF_HUB_OFFLINE"]);
        command.env("HF_HUB_OFFLINE", "0");
        let run = Run::new(&line, command.output().unwrap());
        run.failed(1, &["acme/nobody", &endpoint, "cannot be reached"]);
        scratch.unchanged_since(&before);
    }
}
