//! Options with impossible values, and output directories that cannot be created.

use std::fs;

use crate::{
    command::{Scratch, argument, split},
    fixtures, samples,
};

#[track_caller]
fn check(arguments: &[&str], words: &[&str]) {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch.refuses_train(&[&["--dataset", "data"], arguments].concat(), words);
}

#[test]
fn unknown_values_list_the_valid_ones() {
    check(
        &["--strategy", "lorax"],
        &["\"lorax\"", "expected one of: full"],
    );
    check(
        &["--device", "gpu"],
        &["\"gpu\"", "auto, cpu", "ndarray", "cuda:N", "wgpu:N"],
    );
    check(&["--device", "cuda:x"], &["\"cuda:x\"", "cuda:N"]);
    check(&["--device", "wgpu:-1"], &["\"wgpu:-1\"", "wgpu:N"]);
    check(
        &["--problem-type", "ranking"],
        &[
            "ranking",
            "--problem-type",
            "classification",
            "multi_label",
            "regression",
        ],
    );
    check(
        &["--metric-for-best-model", "acuracy"],
        &["acuracy", "accuracy", "f1_macro"],
    );
    check(&["--metric-for-best-model", "mse"], &["mse", "accuracy"]);
    check(&["--epoch", "3"], &["--epoch", "--epochs"]);
    check(&["--epochs", "three"], &["three", "--epochs"]);
}

#[test]
fn devices_that_the_build_or_the_machine_lacks() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch
        .train(&["--dataset", "data", "--max-steps", "1", "--device", "cpu"])
        .succeeded();
    check(&["--device", "cuda"], &["\"cuda\"", "use --device cpu"]);
    check(&["--device", "cuda:7"], &["\"cuda:7\"", "use --device cpu"]);
    check(
        &["--device", "wgpu:99"],
        &["\"wgpu:99\"", "use --device cpu"],
    );
    if cfg!(not(feature = "ndarray")) {
        check(
            &["--device", "ndarray"],
            &[
                "\"ndarray\" is not in this build",
                "--features ndarray",
                "--device cpu",
            ],
        );
    }
}

#[test]
fn tf32_without_tensor_cores() {
    check(
        &["--precision", "tf32", "--device", "cpu"],
        &["precision tf32", "device \"cpu\"", "--precision f32"],
    );
    check(
        &["--precision", "fp8"],
        &["\"fp8\"", "f32, tf32, bf16 or auto"],
    );
}

#[test]
fn devices_are_listed_with_what_is_missing() {
    let scratch = Scratch::new();
    let table = scratch.run(&["devices"]).succeeded().stdout;
    assert!(table.starts_with("device  what"), "{table}");
    let listed: serde_json::Value =
        serde_json::from_str(&scratch.run(&["devices", "--json"]).succeeded().stdout).unwrap();
    let cpu = &listed["devices"][0];
    assert_eq!(cpu["name"], "cpu");
    assert_eq!(cpu["precisions"], serde_json::json!(["f32", "bf16"]));
    for feature in ["cuda", "wgpu"] {
        let devices = listed["devices"].as_array().unwrap();
        let is_there =
            |device: &serde_json::Value| device["name"].as_str().unwrap().starts_with(feature);
        // Each is listed as a device or as missing, never both.
        let missing = listed["missing"].as_array().unwrap();
        let is_missing = missing.iter().any(|missing| missing["name"] == feature);
        assert_ne!(devices.iter().any(is_there), is_missing, "{listed}");
    }
}

#[test]
fn numbers_out_of_range() {
    for (flag, value, words) in [
        ("--epochs", "0", &["epochs is 0", "above 0"][..]),
        ("--epochs", "inf", &["epochs is inf"]),
        ("--epochs", "1e9", &["epochs is 1000000000", "at most"]),
        ("--epochs", "-1", &["epochs is -1"]),
        (
            "--max-steps",
            "1000000000000",
            &["max_steps is 1000000000000", "at most"],
        ),
        (
            "--max-steps",
            "9223372036854775808",
            &["max_steps is 9223372036854775808", "at most"],
        ),
        ("--max-steps", "-2", &["-2", "--max-steps"]),
        (
            "--seed",
            "18446744073709551615",
            &["seed is 18446744073709551615", "at most"],
        ),
        (
            "--seed",
            "99999999999999999999",
            &["99999999999999999999", "--seed"],
        ),
        (
            "--batch-size",
            "10000000000",
            &["batch_size is 10000000000", "at most"],
        ),
        (
            "--eval-batch-size",
            "10000000000",
            &["eval_batch_size is 10000000000"],
        ),
        (
            "--gradient-accumulation-steps",
            "10000000000",
            &["gradient_accumulation_steps is", "at most"],
        ),
        (
            "--length-buckets",
            "18446744073709551615",
            &["length_buckets is", "at most"],
        ),
        (
            "--max-length",
            "10000000000",
            &["max_length is 10000000000"],
        ),
        (
            "--warmup-steps",
            "-1",
            &["warmup_steps is -1", "whole number"],
        ),
        (
            "--warmup-steps",
            "1.5",
            &["warmup_steps is 1.5", "whole number"],
        ),
        (
            "--set",
            "seed=18446744073709551615",
            &["--set seed=18446744073709551615"],
        ),
        ("--learning-rate", "0", &["learning_rate is 0", "5e-5"]),
        ("--learning-rate", "NaN", &["learning_rate is NaN"]),
        ("--learning-rate", "-1", &["learning_rate is -1"]),
        ("--warmup-ratio", "1.5", &["warmup_ratio is 1.5", "0 to 1"]),
        ("--weight-decay", "-0.1", &["weight_decay is -0.1"]),
        ("--adam-beta2", "1", &["adam_beta2 is 1", "below 1"]),
        ("--max-grad-norm", "0", &["max_grad_norm is 0"]),
        ("--batch-size", "0", &["batch_size is 0", "at least 1"]),
        ("--batch-size", "-1", &["-1", "--batch-size"]),
        ("--validation-fraction", "1", &["validation_fraction is 1"]),
        ("--max-length", "2", &["max_length is 2", "at least 3"]),
        (
            "--max-length",
            "65",
            &["--max-length 65", "max_position_embeddings is 64"],
        ),
    ] {
        check(&[flag, value], words);
    }
}

#[test]
fn settings_of_schedules() {
    let set = |setting: &str, words: &[&str]| {
        let setting = format!("lr_scheduler_kwargs.{setting}");
        check(&["--lr-scheduler-type", "step", "--set", &setting], words);
    };
    set("step_size=0", &["step_size is 0", "epochs above 0"]);
    set("gamma=-1", &["gamma is -1", "above 0"]);
    set("step_unit=minutes", &["minutes", "epochs", "steps"]);
    let foreign = [
        "--lr-scheduler-type",
        "exponential",
        "--set",
        "lr_scheduler_kwargs.gamma=0.5",
        "--set",
        "lr_scheduler_kwargs.step_size=5",
    ];
    check(&foreign, &["step_size", "schedule step", "is exponential"]);
    check(
        &["--set", "lr_scheduler_kwargs.gamma=0.5"],
        &["gamma", "step and exponential", "is linear"],
    );
    let exponential = ["--lr-scheduler-type", "exponential"];
    check(
        &exponential,
        &["gamma is not set", "--set lr_scheduler_kwargs.gamma=0.9"],
    );
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let line = "--dataset data --max-steps 1 --lr-scheduler-type exponential --set lr_scheduler_kwargs.gamma=0.9";
    scratch.train(&split(line)).succeeded();
}

#[test]
fn keys_and_numbers_beyond_all_bounds() {
    let dots = format!("lora{}=1", ".a".repeat(50_000));
    check(&["--set", &dots], &["--set lora.a", "50000 dots"]);
    let nested = format!("lora = {}\n", "[".repeat(50_000));
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch.write("deep.toml", &nested);
    scratch.refuses(&["train", "deep.toml", "--dataset", "data"], &["deep.toml"]);
    let model = fixtures::path("tiny_bert");
    let model = argument(&model);
    for labels in ["4294967296", "99999999999999999999999"] {
        let words = [&format!("--labels is {labels}") as &str, "at most"];
        scratch.refuses(&["inspect", model, "--labels", labels], &words);
    }
    for command in ["evaluate", "predict"] {
        let line = [command, "--model", model, "--batch-size", "10000000000"];
        let data: &[&str] = if command == "evaluate" {
            &["--dataset", "data"]
        } else {
            &["a"]
        };
        scratch.refuses(&[&line, data].concat(), &["--batch-size is 10000000000"]);
    }
}

/// Also where steps count instead.
#[test]
fn epochs_that_are_no_number() {
    let steps = ["--epochs", "nan", "--max-steps", "2"];
    check(&steps, &["epochs is NaN"]);
}

#[test]
fn no_data_named() {
    check_command(&["train", "--output", "run"], &["--dataset"]);
    check_command(&["train", "absent.toml"], &["absent.toml"]);
    check_command(&[], &["error"]);
}

#[track_caller]
fn check_command(arguments: &[&str], words: &[&str]) {
    let scratch = Scratch::new();
    let run = scratch.run(arguments);
    assert_eq!(run.code, Some(2), "{run}");
    if !arguments.is_empty() {
        run.refused(words);
    }
    scratch.unchanged_since(&Default::default());
}

#[test]
fn configuration_files() {
    for (text, words) in [
        (
            "learning_rat = 1",
            &["run.toml", "learning_rat", "learning_rate"][..],
        ),
        ("epochs = \"three\"", &["run.toml", "epochs", "line 1"]),
        ("epochs 3", &["run.toml", "line 1"]),
        (
            "problem_type = \"ranking\"",
            &["run.toml", "ranking", "classification", "regression"],
        ),
        (
            "device = \"gpu\"\ndataset = \"data\"",
            &["\"gpu\"", "auto, cpu"],
        ),
    ] {
        let scratch = Scratch::new();
        samples::splits(&scratch, "csv");
        scratch.write("run.toml", text);
        scratch.refuses(&["train", "run.toml", "--output", "run"], words);
    }
    #[cfg(unix)]
    Scratch::new().refuses(
        &["train", "/dev/zero"],
        &["/dev/zero", "a device", "expected a TOML file"],
    );
}

#[test]
fn output_directory_that_exists() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch.write("run/notes.txt", "mine");
    scratch.refuses_train(
        &["--dataset", "data"],
        &["run", "exists already", "--output"],
    );
    assert_eq!(scratch.read("run/notes.txt"), b"mine");

    fs::remove_dir_all(scratch.path("run")).unwrap();
    scratch.write("run", "a file");
    scratch.refuses_train(
        &["--dataset", "data"],
        &["run", "exists already", "--output"],
    );
    assert_eq!(scratch.read("run"), b"a file");
}

#[test]
fn output_directory_that_cannot_be_made() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let train = [
        "train",
        "--model",
        argument(&model),
        "--dataset",
        "data",
        "--output",
    ];
    scratch.write("file", "");
    scratch.refuses(
        &[&train[..], &["file/run"]].concat(),
        &["file/run", "file is not a directory", "--output"],
    );
    scratch.refuses(&[&train[..], &[""]].concat(), &["--output"]);

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let closed = scratch.path("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
        // Permissions do not bind root.
        if fs::create_dir(closed.join("probe")).is_ok() {
            fs::remove_dir(closed.join("probe")).unwrap();
        } else {
            scratch.refuses(
                &[&train[..], &["closed/run"]].concat(),
                &["closed/run", "ermission denied", "--output"],
            );
        }
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    }
    #[cfg(target_os = "linux")]
    scratch.refuses(
        &[&train[..], &["/proc/finetune-run"]].concat(),
        &["/proc/finetune-run", "--output"],
    );
}

/// Folders made on the way to a run directory go too when the run is refused.
#[test]
fn refused_runs_leave_no_folders() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let train = [
        "train",
        "--model",
        argument(&model),
        "--dataset",
        "data",
        "--epochs",
        "0",
    ];
    scratch.refuses(
        &[&train[..], &["--output", "deep/down/run"]].concat(),
        &["epochs is 0"],
    );
    scratch.refuses(&train, &["epochs is 0"]);
}

/// A variable of the shell that is not set is not the same as an option that is left out.
#[test]
fn empty_names_are_refused() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let train = split("train --dataset data --output run --max-steps 1");
    for flag in [
        "vectors",
        "tokenizer",
        "encoder",
        "teacher",
        "unlabelled",
        "model",
        "adapter",
    ] {
        let flag = format!("--{flag}");
        scratch.refuses(
            &[&train[..], &[&flag, ""]].concat(),
            &[&flag, "it is empty"],
        );
    }
    let set = [&train[..], &["--set", "vectors="]].concat();
    scratch.refuses(&set, &["vectors is empty"]);
    scratch.write("plan.toml", "model = \"\"\n");
    scratch.refuses(&[&train[..], &["plan.toml"]].concat(), &["model is empty"]);
    scratch.refuses(&["train", "--output", ""], &["--output"]);
    scratch.refuses(&["train", "--dataset", ""], &["--dataset", "it is empty"]);
    for line in [
        "predict --model",
        "evaluate",
        "fill-mask",
        "evaluate --dataset",
    ] {
        scratch.refuses(&[&split(line)[..], &[""]].concat(), &["it is empty"]);
    }
}
