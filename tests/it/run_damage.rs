//! Files of a run that are damaged, edited or missing are repaired with a note, rejected by name,
//! or reported in the results, but never mistaken for the originals.
#![cfg(unix)]

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    command::{Run, Scratch, argument, split},
    fixtures, samples,
};

type Damage = fn(&Path);

/// The best evaluation is an early one: soon every row is right, and of equal ones the first counts.
const OPTIONS: &str = "--dataset data --epochs 6 --save-steps 10 --eval-steps 10 --save-total-limit 1 \
    --learning-rate 1e-2 --metric-for-best-model accuracy --json";

/// A LoRA run that learns so little that its first evaluation stays the best.
fn lora() -> String {
    OPTIONS.replace("1e-2", "1e-12") + " --strategy lora"
}

fn train(scratch: &Scratch, run: &str, options: &str) -> Run {
    let model = fixtures::path("tiny_bert");
    let mut arguments = vec!["train", "--model", argument(&model), "--output", run];
    arguments.extend(split(options));
    scratch.run(&arguments)
}

/// A run as if it had been killed just before its end, and its best step, which is not its last.
fn unfinished(options: &str) -> (Scratch, u64) {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    train(&scratch, "run", options).succeeded();
    copy(&scratch.path("run"), &scratch.path("whole"));
    fs::remove_file(scratch.path("run/results.json")).unwrap();
    fs::remove_dir_all(scratch.path("run/model")).unwrap();
    let best = scratch.json("whole/results.json")["best_step"]
        .as_u64()
        .unwrap();
    assert!(best < 60, "the best is the last: choose other options");
    (scratch, best)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &place),
            false => drop(fs::copy(entry.path(), place).unwrap()),
        }
    }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn resume(scratch: &Scratch) -> Run {
    scratch.run(&["resume", "run", "--json"])
}

fn lasting(mut results: Value) -> Value {
    for volatile in ["seconds", "product_seconds", "samples_per_second"] {
        results["train"][volatile].take();
    }
    results["peak_memory_bytes"].take();
    results["output"].take();
    results
}

fn events(scratch: &Scratch, run: &str) -> Vec<Value> {
    let mut events = scratch.json_lines(&format!("{run}/events.jsonl"));
    for event in &mut events {
        event
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !name.ends_with("seconds"));
    }
    events
}

/// The run has ended as it would have without the damage.
#[track_caller]
fn same_as_whole(scratch: &Scratch) {
    for name in ["model.safetensors", "config.json", "tokenizer.json"] {
        let read = |run: &str| scratch.read(&format!("{run}/model/{name}"));
        assert!(read("run") == read("whole"), "{name}");
    }
    let results = |run: &str| lasting(scratch.json(&format!("{run}/results.json")));
    assert_eq!(results("run"), results("whole"));
    assert_eq!(events(scratch, "run"), events(scratch, "whole"));
}

fn best_directory(best: u64) -> String {
    format!("run/checkpoints/step-{best:06}")
}

/// The model of the best checkpoint is used where it is what it was, whatever else there is not.
#[test]
fn the_best_model_is_kept_though_the_rest_of_its_checkpoint_is_damaged() {
    let (scratch, best) = unfinished(OPTIONS);
    let directory = best_directory(best);
    flip(&scratch.path(&format!("{directory}/optimizer.safetensors")));
    flip(&scratch.path(&format!("{directory}/tokenizer.json")));
    fs::remove_file(scratch.path(&format!("{directory}/state.json"))).unwrap();
    fs::remove_file(scratch.path(&format!("{directory}/config.json"))).unwrap();
    let run = resume(&scratch).succeeded();
    assert!(
        run.stderr
            .contains("tokenizer.json of the best checkpoint is damaged"),
        "{run}"
    );
    same_as_whole(&scratch);
}

/// The record of the best step is a file without a checksum; the state in the checkpoint has one.
#[test]
fn a_wrong_record_of_the_best_step_is_set_right() {
    for record in [
        None,
        Some("{\"step\":60}"),
        Some("{\"step\":"),
        Some("{\"step\":30}"),
    ] {
        let (scratch, best) = unfinished(OPTIONS);
        let path = scratch.path("run/checkpoints/best.json");
        match record {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        resume(&scratch).succeeded();
        same_as_whole(&scratch);
        assert_eq!(scratch.json("run/checkpoints/best.json")["step"], best);
    }
}

/// Where the best model itself is lost the last is kept, under its own name and with its own figures.
#[test]
fn a_best_model_that_is_lost_is_said_to_be() {
    for (strategy, options) in [("full", OPTIONS.to_string()), ("lora", lora())] {
        let (scratch, best) = unfinished(&options);
        let weights = match strategy {
            "full" => "model.safetensors",
            _ => "adapter_model.safetensors",
        };
        flip(&scratch.path(&format!("{}/{weights}", best_directory(best))));
        let run = resume(&scratch).succeeded();
        assert!(
            run.stderr.contains("the last model is kept, not the best"),
            "{run}"
        );
        assert!(run.stderr.contains(weights), "{run}");
        let results = scratch.json("run/results.json");
        assert_eq!(run.json(), results);
        assert_eq!(results["best_step"], 60);
        assert_eq!(results["lost_best"]["step"], best);
        let whole = scratch.json_lines("whole/events.jsonl");
        let evaluation = |step: u64| {
            whole
                .iter()
                .find(|event| event["event"] == "evaluated" && event["step"] == step)
                .unwrap()
        };
        // The figures are those of the model that is there.
        assert_eq!(results["validation"], evaluation(60)["metrics"]);
        let last = scratch.read(&format!("run/checkpoints/step-000060/{weights}"));
        assert!(scratch.read(&format!("run/model/{weights}")) == last);
        let events = scratch.json_lines("run/events.jsonl");
        let finished = events
            .iter()
            .find(|event| event["event"] == "finished")
            .unwrap();
        assert_eq!(finished["best_step"], 60);
        assert_eq!(finished["lost_best"], results["lost_best"]);
        let test = events.last().unwrap();
        assert_eq!(
            (&test["split"], &test["step"]),
            (&"test".into(), &60.into())
        );
        let measured = [
            "evaluate",
            "run/model",
            "--dataset",
            "data/validation.csv",
            "--json",
        ];
        let measured = scratch.run(&measured).succeeded();
        if strategy == "full" {
            let measured = measured.json();
            let loss = |value: &Value| value["loss"].as_f64().unwrap();
            let measured = measured.get("metrics").unwrap_or(&measured);
            assert!(
                (loss(measured) - loss(&results["validation"])).abs() < 1e-6,
                "{measured}"
            );
        }
    }
}

/// The report in words says so too.
#[test]
fn a_lost_best_model_is_said_in_the_report() {
    let (scratch, best) = unfinished(OPTIONS);
    fs::remove_dir_all(scratch.path(&best_directory(best))).unwrap();
    let run = scratch.run(&["resume", "run"]).succeeded();
    let words = format!(
        "run/model: the last model, from step 60, because the checkpoint of the best, from step {best}, is damaged"
    );
    assert!(run.stdout.contains(&words), "{run}");
}

#[test]
fn a_plan_that_was_edited_is_refused_by_key() {
    let (scratch, _) = unfinished(OPTIONS);
    let path = scratch.path("run/plan.toml");
    let text = fs::read_to_string(&path).unwrap();
    let edited = text.replace("learning_rate = 0.01", "learning_rate = 0.1");
    assert_ne!(edited, text);
    fs::write(&path, &edited).unwrap();
    for words in [
        &[
            "plan.toml was changed",
            "learning_rate: 0.01 in the run, now 0.1",
        ][..],
        &["--accept learning_rate", "--set learning_rate=0.01"],
    ] {
        resume(&scratch).refused(words);
    }
    // Not by the manifest alone, which can be edited as well, or be gone.
    let manifest = scratch.path("run/manifest.json");
    let facts = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &manifest,
        facts.replace("\"learning_rate\": 0.01", "\"learning_rate\": 0.1"),
    )
    .unwrap();
    resume(&scratch).refused(&["learning_rate: 0.01 in the run"]);
    fs::remove_file(&manifest).unwrap();
    resume(&scratch).refused(&["learning_rate: 0.01 in the run"]);
    // What the message says can be typed: as it was.
    let back = [
        "resume",
        "run",
        "--json",
        "--set",
        "learning_rate=0.01",
        "--set",
        "head_learning_rate=0.01",
    ];
    scratch.run(&back).succeeded();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    same_as_whole(&scratch);
}

/// What changes no result may be edited, and is announced.
#[test]
fn a_harmless_edit_passes() {
    let (scratch, _) = unfinished(OPTIONS);
    let path = scratch.path("run/plan.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("save_total_limit = 1", "save_total_limit = 4"),
    )
    .unwrap();
    let run = resume(&scratch).succeeded();
    assert!(
        run.stderr.contains("save_total_limit was 1 and is 4"),
        "{run}"
    );
    // Now it is the run's.
    fs::remove_file(scratch.path("run/results.json")).unwrap();
    let again = resume(&scratch).succeeded();
    assert!(!again.stderr.contains("save_total_limit"), "{again}");
}

#[test]
fn a_plan_that_was_cut_is_refused_wherever_it_was_cut() {
    let (scratch, _) = unfinished(&lora());
    let path = scratch.path("run/plan.toml");
    let text = fs::read_to_string(&path).unwrap();
    let cuts: Vec<usize> = text
        .match_indices('\n')
        .map(|(place, _)| place + 1)
        .filter(|place| *place < text.len())
        .collect();
    // The last lines, which may be left out without an error of form, and some others.
    let chosen: Vec<_> = cuts
        .iter()
        .rev()
        .take(6)
        .chain(cuts.iter().step_by(20))
        .collect();
    let number = chosen.len();
    let mut refused = 0;
    for &cut in chosen {
        fs::write(&path, &text[..cut]).unwrap();
        let run = resume(&scratch);
        if run.code == Some(0) {
            // What was left out had its default: it is the same plan, and written whole again.
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            fs::remove_file(scratch.path("run/results.json")).unwrap();
            continue;
        }
        run.refused(&["plan.toml", "in the run, now gone"]);
        refused += 1;
    }
    assert!(2 * refused > number, "{refused} of {number}");
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let run = resume(&scratch);
    run.refused(&["plan.toml is damaged", "cp "]);
    // What the message says can be typed.
    let line = run
        .stderr
        .lines()
        .find(|line| line.starts_with("  cp "))
        .unwrap();
    let words = split(line);
    fs::copy(scratch.path(words[1]), scratch.path(words[2])).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    resume(&scratch).succeeded();
}

/// Where nothing can bring the plan back, nothing is lost: the run is begun anew beside it.
#[test]
fn a_damaged_plan_without_a_checkpoint() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let options = split("--dataset data --max-steps 1");
    scratch.train(&options).succeeded();
    fs::remove_dir_all(scratch.path("run/checkpoints")).unwrap();
    fs::remove_file(scratch.path("run/results.json")).unwrap();
    scratch.write("run/plan.toml", "learning_rate = ");
    resume(&scratch).refused(&["plan.toml is damaged", "again with another --output"]);
    let model = fixtures::path("tiny_bert");
    let anew = ["train", "--model", argument(&model), "--output", "another"];
    scratch.run(&[&anew[..], &options].concat()).succeeded();
}

/// The event log is brought back from the checkpoint's copy.
#[test]
fn an_event_log_that_is_damaged_is_mended() {
    let damage: [(&str, Damage); 4] = [
        ("SHA-256", |path| flip(path)),
        ("it is gone", |path| fs::remove_file(path).unwrap()),
        ("it has been truncated since", |path| {
            fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(300)
                .unwrap();
        }),
        ("it has been truncated since", |path| {
            fs::write(path, "").unwrap()
        }),
    ];
    for (word, damage) in damage {
        let (scratch, _) = unfinished(OPTIONS);
        damage(&scratch.path("run/events.jsonl"));
        let run = resume(&scratch).succeeded();
        assert!(
            run.stderr.contains("note: run/events.jsonl was damaged"),
            "{run}"
        );
        assert!(run.stderr.contains(word), "{run}");
        same_as_whole(&scratch);
    }
}

/// TensorBoard's file is a view of the event log.
#[test]
fn a_tensorboard_file_that_is_damaged_is_made_anew() {
    let scalars = |scratch: &Scratch, run: &str| {
        let folder = scratch.path(&format!("{run}/tensorboard"));
        let files: Vec<_> = fs::read_dir(folder).unwrap().collect();
        assert_eq!(files.len(), 1);
        let path = files[0].as_ref().unwrap().path();
        let mut found = Vec::new();
        for event in finetune_tensorboard::EventReader::open(path).unwrap() {
            let event = event.unwrap();
            let clock = |tag: &str| tag.contains("runtime") || tag.contains("per_second");
            let scalars = event.scalars().filter(|(tag, _)| !clock(tag));
            found.extend(
                scalars.map(|(tag, number)| (event.step, tag.to_string(), number.to_bits())),
            );
        }
        found
    };
    let damage: [Damage; 4] = [
        |path| flip(path),
        |path| fs::write(path, "x").unwrap(),
        |path| fs::remove_file(path).unwrap(),
        |path| fs::remove_dir_all(path.parent().unwrap()).unwrap(),
    ];
    for damage in damage {
        let (scratch, _) = unfinished(OPTIONS);
        let file = fs::read_dir(scratch.path("run/tensorboard"))
            .unwrap()
            .next();
        damage(&file.unwrap().unwrap().path());
        let run = resume(&scratch).succeeded();
        assert!(
            run.stderr.contains("is rebuilt from run/events.jsonl"),
            "{run}"
        );
        same_as_whole(&scratch);
        assert_eq!(scalars(&scratch, "run"), scalars(&scratch, "whole"));
    }
}

#[test]
fn a_damaged_manifest_is_written_anew() {
    let (scratch, _) = unfinished(OPTIONS);
    let path = scratch.path("run/manifest.json");
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let run = resume(&scratch).succeeded();
    assert!(run.stderr.contains("manifest.json is damaged"), "{run}");
    same_as_whole(&scratch);
}

#[test]
fn pipes_and_devices_among_the_files_of_a_run_are_not_waited_for() {
    let (scratch, best) = unfinished(OPTIONS);
    let manifest = format!("checkpoints/step-{best:06}/manifest.json");
    for name in ["plan.toml", ".lock", "checkpoints/best.json", &manifest] {
        let (path, aside) = (scratch.path(&format!("run/{name}")), scratch.path("aside"));
        let was_there = path.exists();
        if was_there {
            fs::rename(&path, &aside).unwrap();
        }
        let words = [name, "expected a file"];
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        scratch.refuses(&["replay", "run"], &words);
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        scratch.refuses(&["resume", "run"], &words);
        fs::remove_file(&path).unwrap();
        if was_there {
            fs::rename(&aside, &path).unwrap();
        }
    }
    resume(&scratch).succeeded();
    same_as_whole(&scratch);
}

/// There is nothing to go on with, but what is there is not the result.
#[test]
fn a_changed_model_of_a_complete_run_is_said() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    for (strategy, weights) in [
        ("", "model.safetensors"),
        (" --strategy lora", "adapter_model.safetensors"),
    ] {
        train(&scratch, "run", &(OPTIONS.to_owned() + strategy)).succeeded();
        let run = resume(&scratch).succeeded();
        assert_eq!(run.stderr, "");
        for name in [weights, "tokenizer.json"] {
            let path = scratch.path(&format!("run/model/{name}"));
            let was = fs::read(&path).unwrap();
            flip(&path);
            let said = resume(&scratch).succeeded().stderr;
            for word in [
                "note: ",
                name,
                "is not the file that the run saved",
                "checkpoints/step-",
            ] {
                assert!(said.contains(word), "no {word:?} in {said}");
            }
            fs::write(path, was).unwrap();
        }
        fs::remove_dir_all(scratch.path("run")).unwrap();
    }
}
