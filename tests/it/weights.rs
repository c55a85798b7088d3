//! Weights in every format that transformers writes give the same model. Files that are damaged, do
//! not belong together or hold more than weights are rejected by name (`make_weights.py`).

use std::{collections::BTreeMap, fs, path::Path};

use finetune_models::{ModelError, SavedModel, SequenceClassifier, to_file_layout};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    command::{Scratch, split},
    fixtures::{self, Fixture},
    samples,
};

/// Values by transformers' names.
type Values = BTreeMap<String, Vec<f32>>;

/// A model directory with this as its only weights.
fn with_weights(file: &str, bytes: impl AsRef<[u8]>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = fixtures::path("torch/config.json");
    fs::copy(config, folder.path().join("config.json")).unwrap();
    fs::write(folder.path().join(file), bytes).unwrap();
    folder
}

/// One with the files of a folder of the fixtures.
fn with_folder(name: &str) -> TempDir {
    let config = fs::read(fixtures::path("torch/config.json")).unwrap();
    let folder = with_weights("config.json", config);
    for entry in fs::read_dir(fixtures::path(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

fn load(directory: &Path) -> Result<Values, ModelError> {
    let device = finetune_train::device("cpu").unwrap();
    let (model, report) = SequenceClassifier::load(directory, None, 0, &device)?;
    assert_eq!((report.fresh.len(), report.unexpected.len()), (0, 0));
    let tensors = model.named_tensors().into_iter();
    let value = |(parameter, tensor): (finetune_models::Parameter, burn::Tensor<1>)| {
        let values = tensor.into_data().iter::<f32>().collect();
        (parameter.name.clone(), to_file_layout(&parameter, values))
    };
    Ok(tensors.map(value).collect())
}

#[track_caller]
fn refusal(directory: &Path, words: &[&str]) {
    let error = load(directory).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "no {word:?} in: {error}");
    }
}

fn expected() -> Values {
    let mut file = Fixture::open("torch/expected.safetensors");
    let names = load(with_folder("torch/shards_bin").path()).unwrap();
    names
        .into_keys()
        .map(|name| (name.clone(), file.floats(&name)))
        .collect()
}

#[test]
fn all_forms_give_the_same_weights() {
    let expected = expected();
    assert_eq!(expected.len(), 25);
    for file in [
        "f32",
        "f16",
        "bf16",
        "f64",
        "shared",
        "protocol4",
        "old",
        "old_bf16",
    ] {
        let bytes = fs::read(fixtures::path(&format!("torch/{file}.bin"))).unwrap();
        let folder = with_weights("pytorch_model.bin", bytes);
        assert!(load(folder.path()).unwrap() == expected, "{file}");
    }
    for shards in ["torch/shards_safetensors", "torch/shards_bin"] {
        assert!(
            load(with_folder(shards).path()).unwrap() == expected,
            "{shards}"
        );
    }
    // The form that transformers takes first counts.
    let folder = with_folder("torch/shards_safetensors");
    fs::write(folder.path().join("pytorch_model.bin"), "nothing").unwrap();
    assert!(load(folder.path()).unwrap() == expected);
}

#[test]
fn more_than_weights_is_refused_by_name() {
    let cases: [(&str, &[&str]); 3] = [
        (
            "calls",
            &["names posix.system", "nothing of it was executed"],
        ),
        ("checkpoint", &["\"epoch\" is not a tensor", "state_dict()"]),
        (
            "whole",
            &["transformers.models.bert", "not part of rebuilding weights"],
        ),
    ];
    for (file, words) in cases {
        let bytes = fs::read(fixtures::path(&format!("torch/{file}.bin"))).unwrap();
        let folder = with_weights("pytorch_model.bin", bytes);
        refusal(folder.path(), &[&["pytorch_model.bin"], words].concat());
    }
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    for (file, bytes, words) in [
        ("pytorch_model.bin", &tar[..], "tar format"),
        ("pytorch_model.bin", b"", "does not begin"),
        ("pytorch_model.bin", pointer.as_bytes(), "git lfs pull"),
        ("model.safetensors", pointer.as_bytes(), "git lfs pull"),
    ] {
        refusal(with_weights(file, bytes).path(), &[file, words]);
    }
}

#[test]
fn shards_that_do_not_belong_together() {
    for (name, first, second, index) in [
        (
            "torch/shards_safetensors",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
        ),
        (
            "torch/shards_bin",
            "pytorch_model-00001-of-00002.bin",
            "pytorch_model-00002-of-00002.bin",
            "pytorch_model.bin.index.json",
        ),
    ] {
        let folder = with_folder(name);
        let path = |file: &str| folder.path().join(file);
        let good = fs::read_to_string(path(index)).unwrap();
        let tensor = "bert.pooler.dense.weight";
        fs::rename(path(second), path("elsewhere")).unwrap();
        refusal(folder.path(), &[index, second, "does not exist"]);
        fs::copy(path(first), path(second)).unwrap();
        refusal(folder.path(), &["is in", first, second]);
        fs::rename(path("elsewhere"), path(second)).unwrap();
        let edited = |edit: &dyn Fn(&mut serde_json::Value), words: &[&str]| {
            let mut value = serde_json::from_str(&good).unwrap();
            edit(&mut value);
            fs::write(path(index), value.to_string()).unwrap();
            refusal(folder.path(), &[&[index], words].concat());
        };
        edited(
            &|index| index["weight_map"][tensor] = first.into(),
            &[tensor, "but it is in", second],
        );
        edited(
            &|index| index["weight_map"]["more"] = first.into(),
            &["more", first, "does not have it"],
        );
        edited(
            &|index| drop(index["weight_map"].as_object_mut().unwrap().remove(tensor)),
            &["does not list", tensor, second],
        );
        for bad in ["../x.bin", "/x.safetensors", ".bin", "x"] {
            edited(
                &|index| index["weight_map"][tensor] = bad.into(),
                &[tensor, bad],
            );
        }
        edited(&|index| index["weight_map"] = json!({}), &["empty"]);
        edited(&|index| *index = json!([]), &["no weight_map"]);
        fs::write(path(index), "{").unwrap();
        refusal(folder.path(), &[index, "not JSON"]);
        fs::write(path(index), good).unwrap();
        load(folder.path()).unwrap();
    }
}

/// Flipped bytes, cuts and repeats: an error or the right shapes, no panic, and no more memory than the
/// file is large, whatever it declares. The archive's checksums find what changes a number.
#[test]
fn damaged_files_are_errors() {
    let expected = expected();
    let mut state = 7_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    let (mut refused, mut read) = (0, 0);
    for file in ["f32", "shared", "old", "protocol4", "bf16"] {
        let good = fs::read(fixtures::path(&format!("torch/{file}.bin"))).unwrap();
        let folder = with_weights("pytorch_model.bin", &good);
        for round in 0..400 {
            let mut bytes = good.clone();
            match round % 4 {
                0 => bytes.truncate(next(good.len())),
                1 => {
                    let (from, to, length) = (next(good.len()), next(good.len()), next(40));
                    let length = length.min(good.len() - from.max(to));
                    bytes[to..to + length].copy_from_slice(&good[from..from + length]);
                }
                _ => {
                    for _ in 0..1 + next(3) {
                        // The pickle is at the start.
                        let at = next(if round % 8 == 2 { good.len() } else { 2500 });
                        bytes[at] = match next(3) {
                            0 => bytes[at] ^ (1 << next(8)),
                            1 => 0xff,
                            _ => b"cR.(ubq\x81\x85"[next(9)],
                        };
                    }
                }
            }
            fs::write(folder.path().join("pytorch_model.bin"), &bytes).unwrap();
            match load(folder.path()) {
                Err(_) => refused += 1,
                Ok(values) => {
                    read += 1;
                    let is_old = file == "old";
                    assert!(is_old || values == expected, "{file} {round}");
                }
            }
        }
    }
    assert!(
        refused > 1000 && read > 100,
        "{refused} refused, {read} read"
    );
}

/// Shapes and strides that are larger than their storage.
#[test]
fn declared_sizes_are_not_believed() {
    let good = fs::read(fixtures::path("torch/old.bin")).unwrap();
    // `K\x07K\x04\x86`: the shape of the word embeddings, [7, 4].
    let place = good
        .windows(5)
        .position(|bytes| bytes == b"K\x07K\x04\x86")
        .unwrap();
    for shape in [b"K\xffK\x04\x86", b"K\x07K\xff\x86"] {
        let mut bytes = good.clone();
        bytes[place..place + 5].copy_from_slice(shape);
        let folder = with_weights("pytorch_model.bin", bytes);
        refusal(
            folder.path(),
            &["bert.embeddings.word_embeddings.weight", "does not fit"],
        );
    }
}

/// A safetensors file with the last value of a tensor replaced.
fn with_value(path: &Path, tensor: &str, value: f32) {
    let mut bytes = fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let all: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let end = all[tensor]["data_offsets"][1].as_u64().unwrap() as usize + 8 + header;
    bytes[end - 4..end].copy_from_slice(&value.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn weights_that_are_no_numbers_are_refused_everywhere() {
    for (value, word) in [(f32::NAN, "holds NaN"), (f32::INFINITY, "holds inf")] {
        let scratch = Scratch::new();
        scratch.write("x.csv", samples::csv(&samples::examples(20)));
        let model = scratch.copy_model("tiny_bert").join("model.safetensors");
        let weight = "bert.encoder.layer.1.output.dense.weight";
        with_value(&model, weight, value);
        let words = ["model.safetensors: the weight ", weight, word];
        for line in [
            "train --model model --dataset x.csv --output run",
            "predict --model model good",
            "evaluate --model model --dataset x.csv",
        ] {
            scratch.refuses(&split(line), &words);
        }
        let adapter = fixtures::path("peft/bert_lora");
        let adapter = adapter.to_str().unwrap();
        let merge = ["merge", adapter, "--model", "model", "--output", "merged"];
        scratch.refuses(&merge, &words);
    }
}

#[test]
fn an_adapter_that_is_no_numbers_is_refused() {
    let scratch = Scratch::new();
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        let bytes = fs::read(fixtures::path("peft/bert_lora").join(name)).unwrap();
        scratch.write(&format!("adapter/{name}"), bytes);
    }
    let path = scratch.path("adapter/adapter_model.safetensors");
    let name = "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight";
    with_value(&path, name, f32::NAN);
    scratch.copy_model("tiny_bert");
    let merge = split("merge adapter --model model --output merged");
    scratch.refuses(&merge, &["adapter_model.safetensors", "holds NaN"]);
}

/// A layer more than config.json says is no accident to pass over.
#[test]
fn layers_without_use_are_noted_everywhere() {
    let scratch = Scratch::new();
    scratch.write("x.csv", samples::csv(&samples::examples(20)));
    let path = scratch.copy_model("tiny_bert").join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["num_hidden_layers"] = json!(1);
    fs::write(&path, config.to_string()).unwrap();
    let note = "bert.encoder.layer.1.* (16 tensors): config.json says 1 layers (num_hidden_layers)";
    for line in [
        "train --model model --dataset x.csv --output run --max-steps 1 --strategy head",
        "predict --model model good",
        "evaluate --model model --dataset x.csv",
        "inspect model",
    ] {
        let run = scratch.run(&split(line)).succeeded();
        let notes = run.stderr.lines().filter(|line| line.starts_with("note: "));
        assert!(notes.clone().any(|line| line.contains(note)), "{run}");
    }
    let run = scratch
        .run(&split("predict --model run/model good"))
        .succeeded();
    assert!(!run.stderr.contains(note), "{run}");
}

#[test]
fn a_model_of_other_files_is_trained_and_saved() {
    let scratch = Scratch::new();
    scratch.write("x.csv", samples::csv(&samples::examples(40)));
    let model = scratch.copy_model("tiny_bert");
    let predict = |name: &str| {
        let line = [
            "predict",
            "--json",
            "--model",
            name,
            "The movie was very good",
        ];
        scratch.run(&line).succeeded()
    };
    let expected = predict("model").stdout;
    // A vocabulary instead of a tokenizer.json, shards instead of one file.
    fs::remove_file(model.join("tokenizer.json")).unwrap();
    fs::copy(
        fixtures::path("tiny_bert/vocab.txt"),
        model.join("vocab.txt"),
    )
    .unwrap();
    shard(&model);
    assert_eq!(predict("model").stdout, expected);
    let train = "train --model model --dataset x.csv --output run --max-steps 3";
    scratch.run(&split(train)).succeeded();
    assert!(scratch.path("run/model/vocab.txt").exists());
    predict("run/model");
    // Another shard is another model: the plan has the hash of all.
    let hash = |run: &str| {
        let plan = String::from_utf8(scratch.read(&format!("{run}/plan.toml"))).unwrap();
        let line = plan.lines().find(|line| line.starts_with("model_sha256"));
        line.unwrap().to_owned()
    };
    let shard = model.join("model-2-of-2.safetensors");
    with_value(&shard, "classifier.bias", 0.5);
    let train = "train --model model --dataset x.csv --output other --max-steps 3";
    scratch.run(&split(train)).succeeded();
    assert_eq!(hash("run").len(), "model_sha256 = \"\"".len() + 64);
    assert_ne!(hash("run"), hash("other"));
}

/// What `tokenizer_config.json` names is the default, and more is a person's wish.
#[test]
fn model_max_length_is_the_default() {
    let scratch = Scratch::new();
    scratch.write("x.csv", samples::csv(&samples::examples(20)));
    let model = scratch.copy_model("tiny_bert");
    let settings = "{\"model_max_length\": 9, \"truncation_side\": \"left\"}";
    fs::write(model.join("tokenizer_config.json"), settings).unwrap();
    let train = "train --model model --dataset x.csv --max-steps 1 --strategy head --output";
    let run = scratch
        .run(&[&split(train)[..], &["run"]].concat())
        .succeeded();
    assert!(run.stderr.contains("longest 9"), "{run}");
    let more = [&split(train)[..], &["more", "--max-length", "12"]].concat();
    let run = scratch.run(&more).succeeded();
    assert!(
        run.stderr
            .contains("note: --max-length 12 is more than the model_max_length of 9"),
        "{run}"
    );
    // Cut at the left, a text is told by its end alone.
    let predict = |text: &str| {
        let line = ["predict", "--json", "--model", "run/model", text];
        scratch.run(&line).succeeded().json()["logits"].clone()
    };
    let end = "was not very good , and boring too";
    assert_eq!(
        predict(&format!("the film {end}")),
        predict(&format!("a story {end}"))
    );
    assert_ne!(
        predict(&format!("{end} the film")),
        predict(&format!("{end} a story"))
    );
}

/// Puts the tensors of `model.safetensors` into two shards with an index.
fn shard(model: &Path) {
    let path = model.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let all = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut map = serde_json::Map::new();
    let mut names: Vec<String> = all.names().into_iter().map(str::to_owned).collect();
    // By their names, the head last: `bert…`, then `classifier…`.
    names.sort();
    for (number, names) in names.chunks(names.len().div_ceil(2)).enumerate() {
        let file = format!("model-{}-of-2.safetensors", number + 1);
        let tensors = names
            .iter()
            .map(|name| (name.clone(), all.tensor(name).unwrap()));
        safetensors::serialize_to_file(tensors, None, &model.join(&file)).unwrap();
        map.extend(names.iter().map(|name| (name.clone(), json!(file))));
    }
    let index = json!({ "weight_map": map }).to_string();
    fs::write(model.join("model.safetensors.index.json"), index).unwrap();
    fs::remove_file(path).unwrap();
}

/// What keeps tokens from being kept does not keep a run from being made.
#[test]
fn a_token_cache_that_cannot_be_written() {
    let scratch = Scratch::new();
    scratch.write("x.csv", samples::csv(&samples::examples(20)));
    scratch.copy_model("tiny_bert");
    for line in [
        "train --model model --dataset x.csv --output run --max-steps 1 --strategy head",
        "evaluate --model model --dataset x.csv",
    ] {
        let mut command = scratch.command(&split(line));
        // Below a file nobody makes a directory, whatever rights he has.
        command.env("FINETUNE_CACHE", scratch.path("x.csv"));
        let run = crate::command::Run::new(&split(line), command.output().unwrap()).succeeded();
        let notes = run
            .stderr
            .lines()
            .filter(|line| line.starts_with("note: tokens are not cached"));
        let notes: Vec<_> = notes.collect();
        assert_eq!(notes.len(), 1, "{run}");
        assert!(
            notes[0].contains("x.csv/tokens") && notes[0].contains("FINETUNE_CACHE"),
            "{run}"
        );
    }
}

/// A tokenizer that makes `tokenizers` panic is refused in one line.
#[test]
fn a_tokenizer_that_panics_is_an_error() {
    for (from, to) in [
        ("\"id\": \"[SEP]\"", "\"id\": \"[END]\""),
        (
            "\"decoder\": {",
            "\"decoder\": {\"x\": 1, \"type\": 3, \"y\": {",
        ),
    ] {
        let scratch = Scratch::new();
        scratch.write("x.csv", samples::csv(&samples::examples(20)));
        let path = scratch.copy_model("tiny_bert").join("tokenizer.json");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        let (start, rest) = text.split_once(from).unwrap();
        fs::write(&path, format!("{start}{to}{rest}")).unwrap();
        let words = ["tokenizer.json: not a usable tokenizer.json"];
        scratch.refuses(
            &split("train --model model --dataset x.csv --output run"),
            &words,
        );
        scratch.refuses(&split("predict --model model good"), &words);
    }
}
