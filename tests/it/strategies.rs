//! What is trained: strategies, adapters, `inspect` and `merge`.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use serde_json::json;

use crate::{
    command::{Scratch, split},
    fixtures, samples,
};

/// DistilBERT's configuration, as its authors published it, where it decides sizes.
fn distilbert(scratch: &Scratch) {
    let config = json!({
        "model_type": "distilbert", "vocab_size": 30522, "dim": 768, "n_layers": 6,
        "n_heads": 12, "hidden_dim": 3072, "max_position_embeddings": 512, "activation": "gelu",
    });
    scratch.write("config.json", config.to_string());
}

/// The tensors of a saved model.
fn weights(scratch: &Scratch, file: &str) -> BTreeMap<String, Vec<u8>> {
    let bytes = scratch.read(file);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.iter();
    tensors
        .map(|(name, view)| (name.to_string(), view.data().to_vec()))
        .collect()
}

/// A scratch directory with data.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch
}

/// The numbers that real peft prints.
#[test]
fn inspect_counts_as_peft_does() {
    let scratch = Scratch::new();
    distilbert(&scratch);
    let text = |line: &str| scratch.run(&split(line)).succeeded().stdout;
    let full = text("inspect . --labels 2 --strategy full");
    assert!(
        full.contains(
            "trainable params: 66,955,010 || all params: 66,955,010 || trainable%: 100.0000"
        ),
        "{full}"
    );
    let lora = text(
        "inspect config.json --labels 3 --strategy lora --set lora.r=8 --set lora.lora_alpha=16 --set lora.target_modules=[\"q_lin\",\"v_lin\"]",
    );
    assert!(
        lora.contains("trainable params: 740,355 || all params: 67,696,134 || trainable%: 1.0936"),
        "{lora}"
    );
    let table = text("inspect . --labels 2");
    for words in [
        "distilbert.transformer.layer.0.attention.q_lin",
        "layers 1 to 5",
        "bitfit",
        "ia3",
    ] {
        assert!(table.contains(words), "{words}: {table}");
    }
}

#[test]
fn frozen_weights_keep_their_bits() {
    for (strategy, trained) in [
        ("head", &["bert.pooler.", "classifier."][..]),
        (
            "last:1",
            &["bert.encoder.layer.1.", "bert.pooler.", "classifier."],
        ),
        (
            "layers:0",
            &["bert.encoder.layer.0.", "bert.pooler.", "classifier."],
        ),
        ("params:attention.*query", &[".attention.self.query."]),
        (
            "params:linear2|head",
            &[
                ".0.output.dense.",
                ".1.output.dense.",
                "bert.pooler.",
                "classifier.",
            ],
        ),
    ] {
        let scratch = scratch();
        let base = scratch.copy_model("tiny_bert");
        let before = fixtures::path("tiny_bert/model.safetensors");
        assert!(base.exists());
        scratch
            .train(&["--dataset", "data", "--epochs", "1", "--strategy", strategy])
            .succeeded();
        let bytes = std::fs::read(before).unwrap();
        let before = SafeTensors::deserialize(&bytes).unwrap();
        let after = weights(&scratch, "run/model/model.safetensors");
        let mut moved = 0;
        for (name, data) in &after {
            // The classifier of two classes is a new one.
            if name.starts_with("classifier.") {
                continue;
            }
            let same = before.tensor(name).unwrap().data() == data;
            let is_trained = trained.iter().any(|part| name.contains(part));
            assert!(same || is_trained, "{strategy}: {name} changed");
            moved += usize::from(!same);
        }
        assert!(moved > 0, "{strategy}: nothing was trained");
    }
}

#[test]
fn adapters_train_predict_go_on_and_merge() {
    for (strategy, extra) in [
        ("lora", &["--set", "lora.r=4"][..]),
        (
            "lora",
            &[
                "--set",
                "lora.use_dora=true",
                "--set",
                "lora.target_modules=all-linear",
            ],
        ),
        (
            "lora",
            &["--set", "lora.init_lora_weights=pissa", "--set", "lora.r=2"],
        ),
        (
            "lora",
            &["--set", "lora.bias=all", "--set", "lora.use_rslora=true"],
        ),
        ("ia3", &[]),
    ] {
        let scratch = scratch();
        let mut arguments = vec!["--dataset", "data", "--epochs", "2", "--strategy", strategy];
        arguments.extend(extra);
        let run = scratch.train(&arguments).succeeded();
        assert!(run.stderr.contains("trainable params: "), "{}", run.stderr);
        let files = [
            "adapter_config.json",
            "adapter_model.safetensors",
            "tokenizer.json",
        ];
        for file in files {
            assert!(
                scratch.path(&format!("run/model/{file}")).exists(),
                "{file}"
            );
        }
        assert!(!scratch.path("run/model/model.safetensors").exists());
        let predict = |model: &str| {
            let text = "the film was great .";
            let fixed = ["predict", "--precision", "f32", "--json", "--model"];
            let run = scratch.run(&[&fixed[..], &[model, text]].concat());
            run.succeeded().json_lines()[0]["logits"].clone()
        };
        let of_adapter = predict("run/model");
        scratch.run(&split("merge run/model -o merged")).succeeded();
        let of_merged = predict("merged");
        let pairs = of_adapter
            .as_array()
            .unwrap()
            .iter()
            .zip(of_merged.as_array().unwrap());
        for (adapter, merged) in pairs {
            let difference = adapter.as_f64().unwrap() - merged.as_f64().unwrap();
            assert!(
                difference.abs() < 1e-5,
                "{strategy} {extra:?}: {difference}"
            );
        }
        scratch
            .run(&split(
                "train --dataset data --epochs 1 --adapter run/model --output more",
            ))
            .succeeded();
        assert!(
            scratch
                .path("more/model/adapter_model.safetensors")
                .exists()
        );
    }
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let scratch = scratch();
    for (arguments, words) in [
        ("--strategy lats:2", &["lats:2", "last:N"][..]),
        ("--strategy last:9", &["last:9", "2 layers"]),
        ("--strategy layers:7", &["no layer 7", "0 to 1"]),
        ("--strategy params:qury", &["qury", "query"]),
        ("--strategy lora --set lora.r=0", &["r", "0", "at least 1"]),
        ("--strategy lora --set lora.r=100", &["100", "at most 32"]),
        (
            "--strategy lora --set lora.target_modules=[\"qury\"]",
            &["qury", "query"],
        ),
        (
            "--strategy lora --set lora.target_modules=[\"LayerNorm\"]",
            &["LayerNorm", "not a linear layer"],
        ),
        ("--strategy lora --set lora.alpha=1", &["lora_alpha"]),
        ("--strategy head --set lora.r=4", &["lora", "head"]),
        ("--set lerning_rate=1.0", &["did you mean learning_rate?"]),
        ("--adapter nowhere", &["nowhere/adapter_config.json"]),
    ] {
        let mut line = vec!["--dataset", "data"];
        line.extend(split(arguments));
        scratch.refuses_train(&line, words);
    }
}

/// An adapter says for what it was made, and is refused elsewhere.
#[test]
fn an_adapter_of_another_model_is_refused() {
    let scratch = scratch();
    let line = "--dataset data --epochs 1 --strategy lora";
    scratch.train(&split(line)).succeeded();
    let config = scratch.read("run/model/adapter_config.json");
    let config = String::from_utf8(config).unwrap();
    scratch.write(
        "run/model/adapter_config.json",
        config.replace("\"r\": 8", "\"r\": 4"),
    );
    let words = ["run/model", "lora_A.weight", "[8, 32]", "[4, 32]"];
    scratch.refuses(&split("predict --model run/model text"), &words);
    scratch.write(
        "run/model/adapter_config.json",
        config.replace("LORA", "ADALORA"),
    );
    scratch.refuses(
        &split("predict --model run/model text"),
        &["ADALORA", "LORA, IA3"],
    );
}
