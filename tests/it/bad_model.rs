//! Model directories that are incomplete, damaged or hostile.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    command::{Scratch, split},
    fixtures, samples,
};

/// Damages a copy of `tiny_bert`; neither `train` nor `predict` may take it, and both say why.
#[track_caller]
fn check(damage: impl FnOnce(&Path), words: &[&str]) {
    let scratch = Scratch::new();
    scratch.write("x.csv", samples::csv(&samples::examples(20)));
    damage(&scratch.copy_model("tiny_bert"));
    let train = split("train --model model --dataset x.csv --output run");
    scratch.refuses(&train, words);
    scratch.refuses(&split("predict --model model --output out.txt good"), words);
}

#[track_caller]
fn check_config(edit: impl FnOnce(&mut Value), words: &[&str]) {
    let damage = |model: &Path| {
        let path = model.join("config.json");
        let mut config = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        edit(&mut config);
        fs::write(path, config.to_string()).unwrap();
    };
    check(damage, &[&["config.json"], words].concat());
}

#[track_caller]
fn check_weights(edit: impl FnOnce(Vec<u8>) -> Vec<u8>, words: &[&str]) {
    let damage = |model: &Path| {
        let path = model.join("model.safetensors");
        fs::write(&path, edit(fs::read(&path).unwrap())).unwrap();
    };
    check(damage, &[&["model.safetensors"], words].concat());
}

/// A safetensors file with this header and `data` bytes after it.
fn safetensors(header: &Value, data: usize) -> Vec<u8> {
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(vec![0; data]);
    bytes
}

/// Splits a safetensors file into header and data.
fn parts(file: &[u8]) -> (Value, &[u8]) {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    (
        serde_json::from_slice(&file[8..8 + length]).unwrap(),
        &file[8 + length..],
    )
}

#[test]
fn files_that_are_not_there() {
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        check(
            |model| fs::remove_file(model.join(name)).unwrap(),
            &["model lacks", name],
        );
    }
    let pickle = |model: &Path| {
        fs::rename(
            model.join("model.safetensors"),
            model.join("pytorch_model.bin"),
        )
        .unwrap();
    };
    check(
        pickle,
        &[
            "pytorch_model.bin",
            "does not begin as a file of torch.save",
        ],
    );
}

#[test]
fn a_name_that_is_nowhere() {
    let scratch = Scratch::new();
    scratch.write("x.csv", samples::csv(&samples::examples(20)));
    for (model, words) in [
        (
            "./models/mine",
            &["no model directory \"./models/mine\""][..],
        ),
        ("x.csv", &["\"x.csv\" is a file", "config.json"]),
        (
            "somebody/something",
            &["somebody/something", "HF_HUB_OFFLINE", "HF_HOME"],
        ),
        ("a b/c", &["a b/c"]),
    ] {
        let train = [
            "train",
            "--model",
            model,
            "--dataset",
            "x.csv",
            "--output",
            "run",
        ];
        scratch.refuses(&train, words);
    }
}

#[test]
fn weights_cut_short() {
    let words = ["its header describes", "cut short", "again"];
    check_weights(|file| file[..file.len() / 2].to_vec(), &words);
    check_weights(|file| file[..file.len() - 1].to_vec(), &words);
    check_weights(|file| file[..5].to_vec(), &["5 bytes"]);
    check_weights(|file| file[..100].to_vec(), &["header"]);
    check_weights(|_| vec![], &["0 bytes"]);
    check_weights(
        |file| [&file[..], b"more"].concat(),
        &["something appended"],
    );
}

/// Weights are verified while they are loaded; what is wrong with them is said first, whether they
/// load or not.
#[test]
fn weights_that_do_not_match_their_checksum() {
    for keep in [1, 2] {
        let damage = |model: &Path| {
            let wrong = "0".repeat(64);
            fs::write(model.join("model.safetensors.sha256"), &wrong).unwrap();
            let weights = fs::read(model.join("model.safetensors")).unwrap();
            let kept = &weights[..weights.len() / keep];
            fs::write(model.join("model.safetensors"), kept).unwrap();
        };
        let words = ["model.safetensors.sha256", "Copy the weights again"];
        check(damage, &words);
        let scratch = Scratch::new();
        scratch.write("x.csv", samples::csv(&samples::examples(20)));
        damage(&scratch.copy_model("tiny_bert"));
        let train = "train --model model --dataset x.csv --output run --auto-find-batch-size";
        scratch.refuses(&split(train), &words);
    }
}

#[test]
fn header_longer_than_the_file() {
    for length in [u64::MAX, 1 << 62, 1 << 33, 99_000_000] {
        let damage = |mut file: Vec<u8>| {
            file[..8].copy_from_slice(&length.to_le_bytes());
            file
        };
        check_weights(damage, &[&format!("claims {length} bytes")]);
    }
    check_weights(|_| safetensors(&json!("no object"), 0), &["bad header"]);
}

#[test]
fn offsets_that_overlap_or_leave_gaps() {
    let name = "bert.embeddings.LayerNorm.bias";
    for (start, end) in [(0, 128), (4, 132), (u64::MAX, u64::MAX), (128, 0)] {
        let damage = |file: Vec<u8>| {
            let (mut header, data) = parts(&file);
            // Two tensors in one place, or one that begins where none does.
            header[name]["data_offsets"] = json!([start, end]);
            header["classifier.bias"]["data_offsets"] = json!([start, end]);
            header["classifier.bias"]["shape"] = json!([32]);
            let mut damaged = safetensors(&header, 0);
            damaged.extend(data);
            damaged
        };
        check_weights(damage, &["bad header"]);
    }
}

#[test]
fn sizes_beyond_any_memory() {
    for (shape, end) in [
        (json!([1u64 << 60]), 1u64 << 62),
        (json!([1u64 << 60]), 4),
        (json!([1u64 << 32, 1u64 << 32]), 0),
        (json!([u64::MAX, u64::MAX]), u64::MAX),
    ] {
        let header =
            json!({"classifier.bias": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}});
        check_weights(|_| safetensors(&header, 64), &["valid safetensors file"]);
    }
    let header = json!({"a": {"dtype": "U8", "shape": [u64::MAX], "data_offsets": [0, u64::MAX]}});
    check_weights(|_| safetensors(&header, 64), &["valid safetensors file"]);
}

#[test]
fn tensors_of_another_type() {
    let damage = |file: Vec<u8>| {
        let (mut header, data) = parts(&file);
        for (name, info) in header.as_object_mut().unwrap() {
            if name == "bert.embeddings.LayerNorm.bias" {
                info["dtype"] = json!("I32");
            }
        }
        let mut damaged = safetensors(&header, 0);
        damaged.extend(data);
        damaged
    };
    check_weights(
        damage,
        &[
            "bert.embeddings.LayerNorm.bias",
            "I32",
            "F32, F16, BF16 or F64",
        ],
    );
}

#[test]
fn config_that_does_not_match_the_weights() {
    check_config(
        |config| config["hidden_size"] = json!(48),
        &[
            "bert.embeddings.word_embeddings.weight",
            "[95, 32]",
            "[95, 48]",
        ],
    );
    check_config(
        |config| config["intermediate_size"] = json!(128),
        &[
            "bert.encoder.layer.1.intermediate.dense.weight",
            "[64, 32]",
            "[128, 32]",
        ],
    );
    check_config(
        |config| config["num_hidden_layers"] = json!(3),
        &[
            "lacks weights",
            "bert.encoder.layer.2.attention.self.query.weight",
        ],
    );
    check_config(
        |config| config["vocab_size"] = json!(268_435_456),
        &[
            "bert.embeddings.word_embeddings.weight",
            "[95, 32]",
            "[268435456, 32]",
        ],
    );
}

#[test]
fn config_with_a_key_that_cannot_be() {
    for (key, value, words) in [
        (
            "hidden_act",
            json!("swiglu"),
            &["\"hidden_act\"", "\"swiglu\"", "gelu", "relu"][..],
        ),
        (
            "position_embedding_type",
            json!("relative_key"),
            &[
                "\"position_embedding_type\"",
                "\"relative_key\"",
                "\"absolute\"",
            ],
        ),
        (
            "model_type",
            json!("gpt2"),
            &["\"model_type\"", "\"gpt2\"", "bert, distilbert"],
        ),
        (
            "num_attention_heads",
            json!(5),
            &["\"num_attention_heads\"", "5 heads", "hidden_size = 32"],
        ),
        (
            "hidden_size",
            json!("32"),
            &["\"hidden_size\"", "whole number"],
        ),
        (
            "num_hidden_layers",
            json!(-1),
            &["\"num_hidden_layers\"", "-1"],
        ),
        (
            "num_hidden_layers",
            json!(200_000_000),
            &["\"num_hidden_layers\"", "200000000"],
        ),
        (
            "hidden_dropout_prob",
            json!(1.5),
            &["\"hidden_dropout_prob\"", "1.5"],
        ),
        ("is_decoder", json!(true), &["\"is_decoder\"", "false"]),
        (
            "id2label",
            json!({"0": "a", "2": "b"}),
            &["\"id2label\"", "found none for 1"],
        ),
        (
            "problem_type",
            json!("multiple_choice"),
            &[
                "\"problem_type\"",
                "\"multiple_choice\"",
                "multi_label_classification",
            ],
        ),
    ] {
        check_config(|config| config[key] = value, words);
    }
    // Class numbers without names; as many as anyone could ask for.
    let edit = |config: &mut Value| {
        config.as_object_mut().unwrap().remove("id2label");
        config["num_labels"] = json!(200_000_000);
    };
    check_config(edit, &["\"num_labels\"", "200000000"]);
}

#[test]
fn config_without_a_key() {
    for key in [
        "hidden_size",
        "vocab_size",
        "num_hidden_layers",
        "hidden_act",
        "model_type",
    ] {
        let edit = |config: &mut Value| {
            config.as_object_mut().unwrap().remove(key);
        };
        check_config(edit, &[&format!("\"{key}\""), "missing; expected"]);
    }
}

#[test]
fn config_that_is_no_json_object() {
    for text in ["", "{", "[]", "\u{feff}{}"] {
        let damage = |model: &Path| fs::write(model.join("config.json"), text).unwrap();
        check(damage, &["config.json is not a JSON object"]);
    }
}

#[test]
fn tokenizer_that_is_none_or_not_the_models() {
    let damage = |model: &Path| fs::write(model.join("tokenizer.json"), "{}").unwrap();
    check(damage, &["tokenizer.json: not a usable tokenizer.json"]);

    let damage = |model: &Path| {
        let path = model.join("tokenizer.json");
        let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        tokenizer["model"]["vocab"]["excellent"] = json!(95);
        fs::write(path, tokenizer.to_string()).unwrap();
    };
    check(
        damage,
        &["tokenizer.json has 96 tokens", "vocab_size", "95"],
    );
}

/// What has a file's name is opened only if it is one: a pipe would be waited for, a device read without
/// end; and where a link leads nowhere, no other file is taken in its stead.
#[cfg(unix)]
#[test]
fn files_that_are_none() {
    let link = |to: &'static str, name: &'static str| {
        move |model: &Path| {
            fs::remove_file(model.join(name)).ok();
            std::os::unix::fs::symlink(to, model.join(name)).unwrap();
        }
    };
    for name in ["config.json", "tokenizer.json", "finetune.json"] {
        check(
            link("/dev/zero", name),
            &[name, "a device", "expected a file"],
        );
    }
    let dangling = |model: &Path| {
        link("nowhere", "tokenizer.json")(model);
        let vocabulary = fixtures::path("tiny_bert").join("vocab.txt");
        fs::copy(vocabulary, model.join("vocab.txt")).unwrap();
    };
    check(dangling, &["model/tokenizer.json"]);
    let pipe = |model: &Path| {
        let pipe = model.join("finetune.json");
        let made = std::process::Command::new("mkfifo").arg(pipe).status();
        assert!(made.unwrap().success());
    };
    check(pipe, &["finetune.json", "a pipe", "expected a file"]);
}

/// Predictions of a head that nobody trained would be dice.
#[test]
fn encoder_without_a_classifier() {
    let scratch = Scratch::new();
    let model = scratch.copy_model("tiny_bert");
    let weights = fixtures::path("tiny_bert_old_names.safetensors");
    let (mut header, data) = {
        let file = fs::read(weights).unwrap();
        let (header, data) = parts(&file);
        (header, data.to_vec())
    };
    for part in ["weight", "bias"] {
        let info = header
            .as_object_mut()
            .unwrap()
            .remove(&format!("classifier.{part}"))
            .unwrap();
        header[format!("other.{part}")] = info;
    }
    let mut file = safetensors(&header, 0);
    file.extend(data);
    fs::write(model.join("model.safetensors"), file).unwrap();
    scratch.refuses(
        &split("predict --model model --output out.txt good"),
        &[
            "without a trained classifier",
            "classifier.weight",
            "finetune train",
        ],
    );
    scratch.write("x.csv", samples::csv(&samples::examples(40)));
    let train = split("train --model model --dataset x.csv --max-steps 1 --output run");
    let run = scratch.run(&train).succeeded();
    assert!(
        run.stderr
            .contains("new weights: classifier.weight, classifier.bias"),
        "{run}"
    );
    assert!(
        run.stderr
            .contains("weights without use here: other.bias, other.weight"),
        "{run}"
    );
}
