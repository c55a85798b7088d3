//! Pipes and devices in place of files are reported immediately, wherever they occur. Opening one
//! would block forever, so a test that fails here does not end.
#![cfg(unix)]

use std::{fs, os::unix::fs::symlink, process::Command};

use crate::{
    command::{Scratch, argument, split},
    samples,
};

fn pipe(scratch: &Scratch, name: &str) {
    let path = scratch.path(name);
    fs::remove_file(&path).ok();
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
}

const WORDS: &str = "is a pipe, a socket or a device; expected a";

#[test]
fn in_a_model() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    for name in [
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
        "finetune.json",
        "pytorch_model.bin",
    ] {
        scratch.copy_model("tiny_bert");
        pipe(&scratch, &format!("model/{name}"));
        for command in [
            "predict --model model good",
            "evaluate model --dataset data",
            "train --model model --dataset data --output run",
            "inspect model",
        ] {
            let place = format!("model/{name} {WORDS}");
            scratch.refuses(&split(command), &[&place, "restore it"]);
        }
        fs::remove_dir_all(scratch.path("model")).unwrap();
    }
    scratch.copy_model("tiny_bert");
    fs::remove_file(scratch.path("model/model.safetensors")).unwrap();
    symlink("/dev/zero", scratch.path("model/model.safetensors")).unwrap();
    scratch.refuses(&split("predict --model model good"), &[WORDS]);
}

#[test]
fn in_an_adapter() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let train = "--dataset data --max-steps 1 --strategy lora";
    scratch.train(&split(train)).succeeded();
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        let whole = scratch.read(&format!("run/model/{name}"));
        pipe(&scratch, &format!("run/model/{name}"));
        for command in [
            "predict --model run good",
            "predict --model run/model good",
            "train --adapter run/model --dataset data --output other",
            "merge run/model --output merged",
        ] {
            scratch.refuses(&split(command), &[&format!("run/model/{name} {WORDS}")]);
        }
        fs::remove_file(scratch.path(&format!("run/model/{name}"))).unwrap();
        scratch.write(&format!("run/model/{name}"), whole);
    }
}

#[test]
fn in_a_run() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch
        .train(&split("--dataset data --max-steps 2"))
        .succeeded();
    for name in [
        "plan.toml",
        "manifest.json",
        "events.jsonl",
        "results.json",
        ".lock",
        "checkpoints/best.json",
        "checkpoints/step-000002/state.json",
    ] {
        let path = scratch.path(&format!("run/{name}"));
        let whole = fs::read(&path).ok();
        pipe(&scratch, &format!("run/{name}"));
        for command in ["resume run", "replay run"] {
            scratch.refuses(&split(command), &[&format!("run/{name} {WORDS}")]);
        }
        fs::remove_file(&path).unwrap();
        if let Some(whole) = whole {
            fs::write(&path, whole).unwrap();
        }
    }
    scratch.run(&split("resume run")).succeeded();
}

#[test]
fn as_options_and_data() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    pipe(&scratch, "plan.toml");
    scratch.refuses_train(&["plan.toml"], &[&format!("plan.toml {WORDS}")]);
    scratch.refuses_train(&["/dev/zero"], &[&format!("/dev/zero {WORDS}")]);
    pipe(&scratch, "data/test.csv");
    scratch.refuses_train(
        &split("--dataset data"),
        &["data/test.csv: this is a pipe, not a file"],
    );
    let model = crate::fixtures::path("tiny_bert");
    let train = "train --dataset data/train.csv --output plan.toml --model";
    scratch.refuses(
        &[&split(train)[..], &[argument(&model)]].concat(),
        &["cannot use plan.toml as the run directory"],
    );
}
