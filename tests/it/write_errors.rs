//! Disk errors at every single call by which a run writes its result, injected by the library of
//! `cargo xtask storm`.
#![cfg(target_os = "linux")]

use std::{fs, process::Command};

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
