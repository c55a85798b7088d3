//! Ctrl-C where there is nothing to resume; for training see `resume.rs`.
#![cfg(unix)]

use std::{
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
    let deadline = Instant::now() + Duration::from_secs(600);
    while !ready() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let run = Run::new(arguments, child.wait_with_output().unwrap());
    assert!(sent.success() && ready(), "it ended too early: {run}");
    run
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

/// Predictions that are not complete leave nothing, whether the input is a file or still to come.
#[test]
fn while_predictions_are_written() {
    let scratch = Scratch::new();
    let many = samples::examples(100_000);
    samples::write(&scratch.path("many.csv"), &many);
    let before = scratch.entries();
    let model = fixtures::path("tiny_bert");
    let partial = || {
        let names = scratch.entries().into_iter();
        names
            .filter(|path| path.extension().is_some_and(|end| end == "partial"))
            .count()
    };
    for file in [&["--file", "many.csv"][..], &[]] {
        let fixed = [
            "predict",
            "--model",
            argument(&model),
            "--output",
            "out.csv",
        ];
        let arguments = [&fixed[..], file].concat();
        // Somebody may still type.
        let mut child = scratch
            .command(&arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(600);
        while partial() == 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        let pid = child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
        let input = child.stdin.take();
        let code = child.wait().unwrap().code();
        drop(input);
        assert!(sent.success());
        assert_eq!(code, Some(130), "{file:?}");
        scratch.unchanged_since(&before);
    }
}

/// The last row cannot be read, so that a scan that went on to its end would say that, and not that it was
/// interrupted. The signal is sent when the program has the file open, far from its end.
#[cfg(target_os = "linux")]
#[test]
fn while_files_are_looked_through() {
    use std::io::Write;
    let scratch = Scratch::new();
    let block = samples::examples(2000);
    for (name, head, row, last) in [
        ("many.csv", "text,label\n", "CSV", "\"no end,positive\n"),
        ("many.jsonl", "", "JSON", "{\"text\": \"no end\n"),
    ] {
        let rows: String = match row {
            "CSV" => samples::csv(&block)["text,label\n".len()..].to_owned(),
            _ => {
                let line = |(text, class): &samples::Example| {
                    let label = samples::CLASSES[*class];
                    serde_json::json!({"text": text, "label": label}).to_string() + "\n"
                };
                block.iter().map(line).collect()
            }
        };
        let path = scratch.path(name);
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(head.as_bytes()).unwrap();
        for _ in 0..1000 {
            file.write_all(rows.as_bytes()).unwrap();
        }
        file.write_all(last.as_bytes()).unwrap();
    }
    let before = scratch.entries();
    let model = fixtures::path("tiny_bert");
    let model = argument(&model);
    for name in ["many.csv", "many.jsonl"] {
        for arguments in [
            &[
                "train",
                "--model",
                model,
                "--dataset",
                name,
                "--output",
                "run",
            ][..],
            &["evaluate", model, "--dataset", name],
            &[
                "predict", "--model", model, "--file", name, "--output", "out.csv",
            ],
        ] {
            let mut command = scratch.command(arguments);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let files = format!("/proc/{}/fd", child.id());
            let is_open = || {
                let files = std::fs::read_dir(&files).into_iter().flatten().flatten();
                let mut links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
                links.any(|link| link.ends_with(name))
            };
            while !is_open() {
                assert!(
                    child.try_wait().unwrap().is_none(),
                    "{arguments:?}: too fast"
                );
                std::thread::sleep(Duration::from_millis(1));
            }
            let pid = child.id().to_string();
            let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
            assert!(sent.success());
            let run = Run::new(arguments, child.wait_with_output().unwrap());
            assert_eq!(run.code, Some(130), "{run}");
            assert!(!run.stderr.contains("error: "), "{run}");
            scratch.unchanged_since(&before);
        }
    }
}
