//! `train --init scratch`: encoders that begin with new weights, and the models that they leave.

use std::fs;

use finetune_models::{Preset, SafetensorsFile};

use crate::{
    command::{Scratch, argument, split},
    fixtures, samples,
};

/// A description of a small encoder of our own kind.
const ENCODER: &str = "preset = \"lab\"\nhidden_size = 24\nheads = 3\nfeed_forward_size = 40\nmax_length = 48\n\
    initializer_range = 0.2\n";

fn tokenizer() -> String {
    argument(&fixtures::path("tiny_bert")).into()
}

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch.write("small.toml", ENCODER);
    scratch
}

/// The arguments of a training from scratch with these further ones.
fn train<'a>(encoder: &'a str, tokenizer: &'a str, more: &'a str) -> Vec<&'a str> {
    let mut arguments = split("train --dataset data --init scratch --encoder");
    arguments.extend([encoder, "--tokenizer", tokenizer]);
    arguments.extend(split(more));
    arguments
}

const EPOCHS: &str = "--output run --epochs 12 --learning-rate 3e-3 --precision f32 --json";

fn same_weights(scratch: &Scratch, a: &str, b: &str) -> bool {
    let read = |run: &str| scratch.read(&format!("{run}/model/model.safetensors"));
    read(a) == read(b)
}

#[test]
fn an_encoder_of_our_own_is_trained_and_used() {
    let scratch = scratch();
    let tokenizer = tokenizer();
    let run = scratch
        .run(&train("small.toml", &tokenizer, EPOCHS))
        .succeeded();
    assert!(
        run.stderr.contains("new weights: 2 layers of width 24"),
        "{}",
        run.stderr
    );
    let accuracy = run.json()["test"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9, "{accuracy}");

    // What the run leaves says how the model is built.
    let config = scratch.json("run/model/config.json");
    for (key, value) in [
        ("model_type", "finetune"),
        ("positions", "sinusoidal"),
        ("embedding_scale", "sqrt(hidden)"),
        ("norm", "post"),
        ("pooling", "mean"),
        ("head", "linear"),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
    let plan = String::from_utf8(scratch.read("run/plan.toml")).unwrap();
    assert!(
        plan.contains("model = \"scratch\"") && plan.contains("[encoder]"),
        "{plan}"
    );

    // Every command opens it.
    let predicted = scratch.run(&[
        "predict",
        "--model",
        "run",
        "--json",
        "the film was great .",
    ]);
    assert_eq!(predicted.succeeded().json()["label"], "positive");
    let evaluated = scratch.run(&split(
        "evaluate --model run --dataset data --split test --json",
    ));
    let again = evaluated.succeeded().json()["accuracy"].as_f64();
    assert_eq!(again, Some(accuracy));
    let shown = scratch.run(&split("inspect run")).succeeded().stdout;
    for words in [
        "finetune: 2 layers, hidden size 24, 3 heads, 48 tokens",
        "encoder.layers.0.linear2",
    ] {
        assert!(shown.contains(words), "{shown}");
    }

    // The same plan gives the same bits, here and in a replay, and another seed others.
    let again = EPOCHS.replace("run", "again");
    scratch
        .run(&train("small.toml", &tokenizer, &again))
        .succeeded();
    assert!(same_weights(&scratch, "run", "again"));
    scratch
        .run(&split("replay run --output replayed"))
        .succeeded();
    assert!(same_weights(&scratch, "run", "replayed"));
    let other = format!("{} --seed 7", EPOCHS.replace("run", "other"));
    scratch
        .run(&train("small.toml", &tokenizer, &other))
        .succeeded();
    assert!(!same_weights(&scratch, "run", "other"));
}

/// Strategies and adapters find the layers of the model that a run from scratch has left.
#[test]
fn the_model_is_trained_further_in_every_way() {
    let scratch = scratch();
    let tokenizer = tokenizer();
    let start = "--output run --max-steps 4 --eval-strategy no --save-strategy no";
    scratch
        .run(&train("small.toml", &tokenizer, start))
        .succeeded();
    let run =
        "train --model run --dataset data --max-steps 4 --eval-strategy no --save-strategy no";
    for (number, (strategy, trained)) in [
        (
            "full",
            ["encoder.embeddings.word.weight", "classifier.bias"],
        ),
        ("head", ["classifier.weight", "classifier.bias"]),
        ("last:1", ["encoder.layers.1.norm2.bias", "classifier.bias"]),
        ("gradual", ["classifier.weight", "classifier.bias"]),
        (
            "params:linear2|classifier",
            [
                "encoder.layers.0.linear2.weight",
                "encoder.layers.1.linear2.bias",
            ],
        ),
        (
            "bitfit",
            ["encoder.layers.0.self_attn.query.bias", "classifier.bias"],
        ),
        (
            "lora",
            ["encoder.layers.0.self_attn.query (adapter)", "classifier"],
        ),
        ("ia3", ["encoder.layers.1.linear2 (adapter)", "classifier"]),
    ]
    .into_iter()
    .enumerate()
    {
        let output = format!("run{number}");
        let mut arguments = split(run);
        arguments.extend([
            "--strategy",
            strategy,
            "--output",
            &output,
            "--list-trainable",
        ]);
        let said = scratch.run(&arguments).succeeded().stderr;
        let lines: Vec<_> = said.lines().map(str::trim).collect();
        for name in trained {
            assert!(lines.contains(&name), "{strategy}: no {name} in: {said}");
        }
        let predict = ["predict", "--model", &output, "a dull plot"];
        scratch.run(&predict).succeeded();
    }
    let second = scratch.run(&split(
        "inspect run --strategy params:linear2 --list-trainable",
    ));
    assert_eq!(second.succeeded().stdout.matches("linear2").count(), 1 + 4);
}

/// The features of a frozen encoder are what its head reads, and the same wherever they are kept.
#[test]
fn features_of_a_frozen_encoder_are_pooled() {
    let scratch = scratch();
    let tokenizer = tokenizer();
    scratch.write(
        "pre.toml",
        format!("{ENCODER}norm = \"pre\"\npooling = \"max\"\n"),
    );
    let head = "--max-steps 12 --strategy head --learning-rate 1e-2 --precision f32 --output";
    let kept = format!("{head} kept");
    scratch
        .run(&train("pre.toml", &tokenizer, &kept))
        .succeeded();
    let computed = format!(
        "{head} computed --set feature_cache.memory_bytes=0 --set feature_cache.disk_bytes=0"
    );
    scratch
        .run(&train("pre.toml", &tokenizer, &computed))
        .succeeded();
    assert!(same_weights(&scratch, "kept", "computed"));
}

/// A run that is interrupted goes on with the same bits, wherever its directory is by then.
#[test]
fn a_run_that_has_moved_is_resumed() {
    let scratch = scratch();
    let tokenizer = tokenizer();
    let steps = "--max-steps 24 --save-steps 8 --eval-steps 8 --precision f32 --output";
    let whole = format!("{steps} whole");
    scratch
        .run(&train("small.toml", &tokenizer, &whole))
        .succeeded();
    let cut = format!("{steps} cut");
    scratch
        .run(&train("small.toml", &tokenizer, &cut))
        .succeeded();
    // As if it had been killed after step 8.
    for name in [
        "results.json",
        "model",
        "checkpoints/step-16",
        "checkpoints/step-24",
    ] {
        let path = scratch.path("cut").join(name);
        match path.is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false => fs::remove_file(path).unwrap_or(()),
        }
    }
    fs::rename(scratch.path("cut"), scratch.path("moved")).unwrap();
    scratch.run(&split("resume moved")).succeeded();
    assert!(same_weights(&scratch, "whole", "moved"));
}

/// Where the encoder has the shape of a family of transformers, the model is written as one of it.
#[test]
fn presets_are_written_as_the_families_whose_shape_they_have() {
    let scratch = scratch();
    let tokenizer = tokenizer();
    let short =
        "--max-steps 1 --train-rows 8 --eval-strategy no --save-strategy no --test-split= --output";
    for (preset, model_type, weight) in [
        (Preset::Lab, "finetune", "encoder.layers.1.linear2.weight"),
        (
            Preset::Mini,
            "bert",
            "bert.encoder.layer.3.output.dense.weight",
        ),
    ] {
        let more = format!("{short} {}", preset.name());
        scratch
            .run(&train(preset.name(), &tokenizer, &more))
            .succeeded();
        let config = scratch.json(&format!("{}/model/config.json", preset.name()));
        assert_eq!(config["model_type"], model_type);
        assert_eq!(config["vocab_size"], 95);
        let path = scratch.path(&format!("{}/model/model.safetensors", preset.name()));
        let file = SafetensorsFile::open(&path).unwrap();
        assert!(file.names().iter().any(|name| name == weight), "{weight}");
    }
}

#[test]
fn contradictions_and_mistakes_are_named() {
    let scratch = scratch();
    let tokenizer = tokenizer();
    scratch.write("heads.toml", "hidden_size = 100\nlayers = 2\nheads = 3\n");
    scratch.write(
        "odd.toml",
        "hidden_size = 25\nlayers = 1\nheads = 5\npositions = \"sinusoidal\"\n",
    );
    scratch.write(
        "unknown.toml",
        "hidden_size = 24\nlayers = 1\nnum_attention_heads = 3\n",
    );
    scratch.write("empty/readme", "nothing");
    let with = |encoder, tokenizer| train(encoder, tokenizer, "--output run");
    let refused = |arguments: &[&str], words: &[&str]| scratch.refuses(arguments, words);
    refused(
        &with("heads.toml", &tokenizer),
        &["heads.toml: heads: 3 heads do not divide hidden_size = 100"],
    );
    refused(
        &with("odd.toml", &tokenizer),
        &["odd.toml: hidden_size: 25 is odd", "24 or 26"],
    );
    refused(
        &with("unknown.toml", &tokenizer),
        &["unknown.toml", "line 3", "called heads here"],
    );
    refused(
        &with("absent.toml", &tokenizer),
        &["absent.toml", "lab, mini, small or distil"],
    );
    refused(&with("empty", &tokenizer), &["empty", "TOML"]);
    refused(&with("lab", "empty"), &["empty has no tokenizer"]);
    refused(&with("lab", "absent"), &["absent does not exist"]);
    let without = split("train --dataset data --output run");
    let and = |more: &'static [&'static str]| [&without, more].concat();
    refused(
        &and(&["--init", "scratch"]),
        &["--encoder", "lab, mini, small or distil"],
    );
    refused(
        &and(&["--init", "scratch", "--encoder", "lab"]),
        &["--tokenizer"],
    );
    refused(
        &and(&["--encoder", "lab"]),
        &["--encoder", "--init scratch"],
    );
    refused(
        &and(&["--tokenizer", "empty"]),
        &["--tokenizer", "--init scratch"],
    );
    let mut both = with("lab", &tokenizer);
    both.extend(["--model", "some/model"]);
    refused(&both, &["--model", "--init scratch"]);
    let mut long = with("small.toml", &tokenizer);
    long.extend(["--max-length", "49"]);
    refused(&long, &["--max-length 49", "48"]);
    refused(&and(&["--init", "zero"]), &["zero", "scratch"]);
}
