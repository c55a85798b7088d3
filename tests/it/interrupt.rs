//! Ctrl-C.
#![cfg(unix)]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    command::{Run, Scratch, argument},
    fixtures, samples,
};

/// Starts a command, waits until `ready`, sends SIGINT and waits for the end.
fn interrupt(scratch: &Scratch, arguments: &[&str], ready: impl Fn() -> bool) -> Run {
    let child: Child = scratch
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ready() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let run = Run::new(arguments, child.wait_with_output().unwrap());
    assert!(sent.success() && ready(), "it ended too early: {run}");
    run
}

fn contains(path: &Path, words: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.contains(words))
}

#[track_caller]
fn check_kept(scratch: &Scratch, run: &Run, words: &[&str]) {
    assert_eq!(run.code, Some(130), "{run}");
    for words in words {
        assert!(run.stderr.contains(words), "no {words:?} in: {run}");
    }
    assert!(!run.stderr.contains("internal error"), "{run}");
    let events = scratch.json_lines("run/events.jsonl");
    assert_eq!(events.last().unwrap()["reason"], "interrupted", "{run}");
    let predict = [
        "predict",
        "--model",
        "run/model",
        "--json",
        "the film was great .",
    ];
    let prediction = scratch.run(&predict).succeeded().json();
    assert!(prediction["confidence"].is_number(), "{prediction}");
}

#[test]
fn before_the_first_evaluation() {
    let scratch = Scratch::new();
    let many = samples::examples(20_000);
    samples::write(&scratch.path("many.csv"), &many);
    let model = fixtures::path("tiny_bert");
    let train = [
        "train",
        "--model",
        argument(&model),
        "--dataset",
        "many.csv",
        "--train-rows",
        "0",
        "--batch-size",
        "1",
        "--output",
        "run",
    ];
    let events = scratch.path("run/events.jsonl");
    let run = interrupt(&scratch, &train, || contains(&events, "\"step\":1,"));
    check_kept(
        &scratch,
        &run,
        &[
            "interrupted after step",
            "before the first evaluation",
            "run/model",
        ],
    );
}

#[test]
fn after_an_evaluation() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let train = [
        "train",
        "--model",
        argument(&model),
        "--dataset",
        "data",
        "--max-steps",
        "1000000",
        "--output",
        "run",
    ];
    let events = scratch.path("run/events.jsonl");
    let run = interrupt(&scratch, &train, || contains(&events, "\"evaluated\""));
    check_kept(
        &scratch,
        &run,
        &[
            "interrupted after step",
            "the best model so far, of step",
            "run/model",
        ],
    );
}

#[test]
fn while_the_texts_are_tokenized() {
    let scratch = Scratch::new();
    let many = samples::examples(400_000);
    samples::write(&scratch.path("many.csv"), &many);
    let before = scratch.entries();
    let model = fixtures::path("tiny_bert");
    let train = [
        "train",
        "--model",
        argument(&model),
        "--dataset",
        "many.csv",
        "--train-rows",
        "0",
        "--output",
        "run",
    ];
    let tokenizing = || scratch.path("cache/tokens").exists();
    let run = interrupt(&scratch, &train, tokenizing);
    assert_eq!(run.code, Some(130), "{run}");
    assert!(run.stderr.contains("interrupted"), "{run}");
    scratch.unchanged_since(&before);
}

#[test]
fn while_rows_are_evaluated() {
    let scratch = Scratch::new();
    let many = samples::examples(40_000);
    samples::write(&scratch.path("many.csv"), &many);
    let model = fixtures::path("tiny_bert");
    let evaluate = [
        "evaluate",
        "--model",
        argument(&model),
        "--dataset",
        "many.csv",
        "--batch-size",
        "1",
        "--json",
    ];
    // Its tokens are complete, so it evaluates.
    let tokens = scratch.path("cache/tokens");
    let evaluating = || {
        let files = std::fs::read_dir(&tokens).into_iter().flatten();
        let mut names = files.map(|file| file.unwrap().file_name());
        names.any(|name| !name.to_string_lossy().ends_with(".partial"))
    };
    let started = Instant::now();
    let run = interrupt(&scratch, &evaluate, evaluating);
    assert_eq!(run.code, Some(130), "{run} after {:?}", started.elapsed());
    assert!(run.stderr.contains("interrupted"), "{run}");
    assert_eq!(run.stdout, "");
}
