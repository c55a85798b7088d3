//! Runs that are killed, interrupted, damaged or out of disk space, and resumed to the same bits.
#![cfg(unix)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    command::{Run, Scratch, argument, split},
    fixtures, samples,
};

/// A small run whose every moving part has a state: dropout, accumulation, warm-up, a moving average,
/// early stopping, an optimizer with moments, logs of several steps, retention.
const RUN: &str = "--dataset data --epochs 60 --batch-size 8 --gradient-accumulation-steps 3 \
    --learning-rate 1e-3 --lr-scheduler-type cosine --ema-decay 0.9 --eval-steps 20 --save-steps 20 \
    --logging-steps 3 --early-stopping-patience 50 --label-smoothing-factor 0.1 --json";

fn command(scratch: &Scratch, arguments: &[&str]) -> Command {
    let mut command = scratch.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn train<'a>(model: &'a Path, output: &'a str, options: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["train", "--model", argument(model), "--output", output];
    arguments.extend(split(options));
    arguments
}

/// The events, but for times.
fn events(scratch: &Scratch, run: &str) -> Vec<Value> {
    let mut events = scratch.json_lines(&format!("{run}/events.jsonl"));
    for event in &mut events {
        let fields = event.as_object_mut().unwrap();
        fields.retain(|name, _| !name.ends_with("seconds"));
    }
    events
}

fn weights(scratch: &Scratch, run: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = scratch.path(&format!("{run}/model"));
    let files = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = files
        .map(|file| file.unwrap().path())
        .map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[track_caller]
fn same_run(scratch: &Scratch, one: &str, other: &str) {
    let (expected, found) = (events(scratch, one), events(scratch, other));
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected, found);
    }
    assert_eq!(expected.len(), found.len());
    for (expected, found) in weights(scratch, one).iter().zip(weights(scratch, other)) {
        assert_eq!(expected.0, found.0);
        assert!(expected.1 == found.1, "{} differs", found.0.display());
    }
    let results = |run: &str| {
        let mut results = scratch.json(&format!("{run}/results.json"));
        for volatile in ["seconds", "product_seconds", "samples_per_second"] {
            results["train"][volatile].take();
        }
        results["peak_memory_bytes"].take();
        results["output"].take();
        results
    };
    assert_eq!(results(one), results(other));
}

/// A whole sequence of numbers from 0 to 1 that looks random and is always the same.
struct Moments(u64);

impl Iterator for Moments {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        Some((self.0 >> 40) as f64 / (1u64 << 24) as f64)
    }
}

fn is_saving(checkpoints: &Path) -> bool {
    let files = fs::read_dir(checkpoints).into_iter().flatten().flatten();
    let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.any(|name| name.starts_with(".partial"))
}

/// Kills a session after `delay`, or, where `in_a_save`, as soon as a save is under way after that.
/// Whether it was still running.
fn kill(mut child: Child, delay: Duration, in_a_save: Option<&Path>) -> bool {
    let started = Instant::now();
    let deadline = Duration::from_secs(30);
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let late = started.elapsed() >= delay;
        if late && in_a_save.is_none_or(is_saving) || started.elapsed() > deadline {
            break;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

fn killed_and_resumed(options: &str, seed: u64) {
    const KILLS: usize = 20;
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let options = format!("{RUN} {options}");
    let undisturbed = train(&model, "undisturbed", &options);
    let started = Instant::now();
    scratch.run(&undisturbed).succeeded();
    let whole = started.elapsed();

    let mut moments = Moments(seed);
    let (mut kills, mut saves, mut number) = (0, 0, 0);
    while kills < KILLS {
        number += 1;
        let run = format!("run-{number}");
        let begin = train(&model, &run, &options);
        let resume = ["resume", &run, "--json"];
        let mut session: &[&str] = &begin;
        // One session lasts a fifth of the run on average, so that each gets somewhere.
        while kills < KILLS {
            let delay = whole.mul_f64(0.4 * moments.next().unwrap());
            let checkpoints = scratch.path(&format!("{run}/checkpoints"));
            let in_a_save = (kills % 2 == 1).then_some(checkpoints.as_path());
            let child = command(&scratch, session).spawn().unwrap();
            if !kill(child, delay, in_a_save) {
                break;
            }
            kills += 1;
            saves += usize::from(is_saving(&checkpoints));
            if scratch.path(&format!("{run}/plan.toml")).exists() {
                session = &resume;
            } else if scratch.path(&run).exists() {
                // Killed before it began: nothing is lost, and nothing is there to resume.
                fs::remove_dir_all(scratch.path(&run)).unwrap();
            }
        }
        scratch.run(session).succeeded();
        same_run(&scratch, "undisturbed", &run);
    }
    assert!(saves >= 3, "only {saves} of {kills} kills hit a save");
    println!("{kills} kills of {number} runs, {saves} of them during a save");
}

#[test]
fn a_full_run_killed_twenty_times() {
    killed_and_resumed("--strategy full", 1);
}

#[test]
fn a_lora_run_killed_twenty_times() {
    let lora = "--strategy lora --set lora.lora_dropout=0.1 --optim adafactor";
    killed_and_resumed(lora, 2);
}

#[test]
fn gradual_pissa_cached_features_and_batches_by_tokens_resume_too() {
    for (number, options) in [
        "--strategy gradual --optim sgd --set optim_args.momentum=0.9",
        "--strategy lora --set lora.init_lora_weights=pissa",
        "--strategy head --length-buckets 4",
        "--batch-tokens 60 --length-buckets 4",
    ]
    .into_iter()
    .enumerate()
    {
        let scratch = Scratch::new();
        samples::splits(&scratch, "csv");
        let model = fixtures::path("tiny_bert");
        let options = format!("{RUN} --max-steps 150 {options}");
        let options = match options.contains("--batch-tokens") {
            true => options.replace("--batch-size 8", ""),
            false => options,
        };
        let undisturbed = train(&model, "undisturbed", &options);
        let started = Instant::now();
        scratch.run(&undisturbed).succeeded();
        let whole = started.elapsed();
        let begin = train(&model, "run", &options);
        let resume = ["resume", "run", "--json"];
        let mut session: &[&str] = &begin;
        for moment in Moments(number as u64).take(4) {
            let child = command(&scratch, session).spawn().unwrap();
            let checkpoints = scratch.path("run/checkpoints");
            if !kill(child, whole.mul_f64(0.3 * moment), Some(&checkpoints)) {
                break;
            }
            session = &resume;
        }
        if session.len() == 3 {
            scratch.run(session).succeeded();
        }
        same_run(&scratch, "undisturbed", "run");
    }
}

/// Starts a run and sends it a signal once it has saved.
fn signalled(scratch: &Scratch, signal: &str) -> Run {
    samples::splits(scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let arguments = train(
        &model,
        "run",
        "--dataset data --max-steps 100000 --save-steps 50 --eval-steps 50",
    );
    let child = command(scratch, &arguments).spawn().unwrap();
    let saved = scratch.path("run/checkpoints/step-000050/manifest.json");
    let deadline = Instant::now() + Duration::from_secs(600);
    while !saved.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
    assert!(sent.success());
    Run::new(&arguments, child.wait_with_output().unwrap())
}

#[test]
fn signals_save_a_checkpoint_and_say_how_to_go_on() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let scratch = Scratch::new();
        let run = signalled(&scratch, signal);
        assert_eq!(run.code, Some(code), "{run}");
        assert!(run.stderr.contains("a checkpoint is saved"), "{run}");
        assert!(run.stderr.contains(" resume run"), "{run}");
        let step = run.stderr.split("after step ").nth(1).unwrap();
        let step: u64 = step.split(';').next().unwrap().parse().unwrap();
        let state = scratch.json(&format!("run/checkpoints/step-{step:06}/state.json"));
        assert_eq!(state["train"]["pending"], true);
        // It opens as a model, like any other directory.
        let checkpoint = format!("run/checkpoints/step-{step:06}");
        let predict = [
            "predict",
            "--model",
            &checkpoint,
            "--json",
            "the film was great .",
        ];
        scratch.run(&predict).succeeded();
    }
}

/// A finished run whose newest checkpoints are `step-000040` (best or not) and `step-000060`.
fn interrupted_run(scratch: &Scratch) -> String {
    samples::splits(scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let options =
        "--dataset data --epochs 6 --save-steps 20 --eval-steps 20 --save-total-limit 9 --json";
    scratch
        .run(&train(&model, "undisturbed", options))
        .succeeded();
    scratch.run(&train(&model, "run", options)).succeeded();
    // As if it had been killed before its end.
    fs::remove_file(scratch.path("run/results.json")).unwrap();
    fs::remove_dir_all(scratch.path("run/model")).unwrap();
    options.into()
}

#[test]
fn a_damaged_checkpoint_is_reported_and_the_one_before_is_used() {
    let scratch = Scratch::new();
    interrupted_run(&scratch);
    let path = scratch.path("run/checkpoints/step-000060/model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let run = scratch.run(&["resume", "run", "--json"]).succeeded();
    assert!(run.stderr.contains("step-000060"), "{run}");
    assert!(run.stderr.contains("is damaged"), "{run}");
    assert!(run.stderr.contains("after step 40"), "{run}");
    same_run(&scratch, "undisturbed", "run");
}

#[test]
fn a_checkpoint_of_a_newer_version_is_no_damage() {
    let scratch = Scratch::new();
    interrupted_run(&scratch);
    let path = scratch.path("run/checkpoints/step-000060/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"format\": 1", "\"format\": 2", 1)).unwrap();
    let run = scratch.run(&["resume", "run"]);
    run.refused(&["step-000060", "newer version", "update finetune"]);
}

#[test]
fn a_plan_that_differs_is_refused_unless_it_is_harmless_or_accepted() {
    let scratch = Scratch::new();
    let options = interrupted_run(&scratch);
    let refused = scratch.run(&split("resume run --set learning_rate=0.5 --set seed=7"));
    refused.refused(&["learning_rate", "0.5", "seed", "--accept learning_rate"]);
    let model = fixtures::path("tiny_bert");
    let other = format!("{options} --resume auto --seed 7");
    let refused = scratch.run(&train(&model, "run", &other));
    refused.refused(&["seed: 42 in the run, now 7"]);
    scratch
        .run(&split("resume run --set sead=7"))
        .refused(&["did you mean seed?"]);
    let run = scratch
        .run(&split(
            "resume run --set save_total_limit=3 --set seed=7 --accept seed --json",
        ))
        .succeeded();
    assert!(
        run.stderr.contains("save_total_limit was 9 and is 3"),
        "{run}"
    );
    assert!(run.stderr.contains("seed was 42 and is 7"), "{run}");
    let complete = scratch.run(&["resume", "run"]).succeeded();
    assert!(complete.stdout.contains("is complete"), "{complete}");
}

#[test]
fn resume_auto_begins_or_goes_on() {
    let scratch = Scratch::new();
    let options = interrupted_run(&scratch);
    let model = fixtures::path("tiny_bert");
    let auto = format!("{options} --resume auto");
    let run = scratch.run(&train(&model, "run", &auto)).succeeded();
    assert!(run.stderr.contains("after step 60"), "{run}");
    same_run(&scratch, "undisturbed", "run");
    scratch.run(&train(&model, "another", &auto)).succeeded();
    same_run(&scratch, "undisturbed", "another");
}

#[test]
fn changed_rows_and_what_is_no_run_are_refused() {
    let scratch = Scratch::new();
    interrupted_run(&scratch);
    let path = scratch.path("data/validation.csv");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("film", "movie", 1)).unwrap();
    let refused = scratch.run(&["resume", "run"]);
    refused.refused(&["the validation rows of data", "start another run"]);
    scratch
        .run(&["resume", "data"])
        .refused(&["data is not the directory of a run", "plan.toml"]);
}

/// A disk that is really full.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_during_a_save() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let disk = scratch.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1500k", "tmpfs", argument(&disk)])
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        println!("skipped: this user cannot mount a small disk");
        return;
    }
    struct Unmount(PathBuf);
    impl Drop for Unmount {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }
    let _unmount = Unmount(disk.clone());
    let options =
        "--dataset data --epochs 6 --save-steps 20 --eval-steps 20 --report-to none --json";
    scratch
        .run(&train(&model, "undisturbed", options))
        .succeeded();
    // Room for one checkpoint, not for two.
    let one = fs::read_dir(scratch.path("undisturbed/checkpoints/step-000060")).unwrap();
    let one: u64 = one
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    let ballast = 1_500 * 1024 - one * 3 / 2;
    fs::write(disk.join("ballast"), vec![1; ballast as usize]).unwrap();
    let run = scratch.run(&train(&model, "disk/run", options));
    run.failed(
        1,
        &[
            "the disk is full",
            "Free some space and resume",
            "step-000020",
            "resume disk/run",
        ],
    );
    assert!(!scratch.path("disk/run/model").exists());
    fs::remove_file(disk.join("ballast")).unwrap();
    scratch
        .run(&split("resume disk/run --set save_total_limit=1 --json"))
        .succeeded();
    same_run(&scratch, "undisturbed", "disk/run");
}
