//! Adapters that Hugging Face's PEFT wrote and trained give the same results here (`make_peft.py`).

use std::path::Path;

use burn::{module::Module, tensor::Device};
use finetune_kernels::{DropoutSource, Offsets, PackedTokens, softmax_cross_entropy};
use finetune_models::SequenceClassifier;
use finetune_peft::{
    Adaptable, AdapterFile, adapter_names, adapter_tensors, load_adapter, save_adapter, set_active,
    train_adapter,
};
use finetune_train::{Optimizer, OptimizerConfig, ParameterGradients, ParameterGroups};
use serde_json::Value;

use crate::fixtures::{devices, largest_difference, path, values};

/// Of logits and of trained values, as the project promises.
const TOLERANCE: f64 = 1e-5;

fn manifest() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path("peft/cases.json")).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap() as f32],
    }
}

fn tokens(manifest: &Value) -> PackedTokens {
    let (mut ids, mut positions, mut offsets) = (Vec::new(), Vec::new(), vec![0]);
    for sequence in manifest["sequences"].as_array().unwrap() {
        let sequence = sequence.as_array().unwrap();
        ids.extend(sequence.iter().map(|id| id.as_u64().unwrap() as u32));
        positions.extend(0..sequence.len() as u32);
        offsets.push(ids.len() as u32);
    }
    PackedTokens {
        type_ids: vec![0; ids.len()].into(),
        ids: ids.into(),
        positions: positions.into(),
        offsets: Offsets::new(offsets).unwrap(),
        used_rows: None,
    }
}

fn base(case: &Value, device: &Device) -> SequenceClassifier {
    let directory = path(case["model"].as_str().unwrap());
    SequenceClassifier::load(&directory, None, 0, device)
        .unwrap()
        .0
}

fn logits(model: &SequenceClassifier, tokens: &PackedTokens) -> Vec<f32> {
    values(model.forward(tokens, DropoutSource::OFF).unwrap())
}

/// The tensors of an adapter by name.
fn tensors(model: &SequenceClassifier, file: &AdapterFile) -> Vec<(String, Vec<f32>)> {
    let tensors = adapter_tensors(model, "a", &file.config).unwrap();
    let mut tensors: Vec<_> = tensors
        .into_iter()
        .map(|tensor| (tensor.name.clone(), tensor.values()))
        .collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    tensors
}

#[test]
fn adapters_of_peft_open_and_are_written_back() {
    let manifest = manifest();
    let tokens = tokens(&manifest);
    for device in devices() {
        for (name, case) in manifest["cases"].as_object().unwrap() {
            let mut model = base(case, &device);
            let directory = path("peft").join(name);
            let (file, plan) = load_adapter(&mut model, "a", &directory, &device)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                plan.trainable,
                case["trainable"].as_u64().unwrap(),
                "{name}"
            );
            assert_eq!(plan.all, case["all"].as_u64().unwrap(), "{name}");
            let found = logits(&model, &tokens);
            let difference = largest_difference(&found, &numbers(&case["logits"]));
            assert!(difference < TOLERANCE, "{name}: {difference}");

            let written = tempfile::tempdir().unwrap();
            save_adapter(&model, "a", &file, written.path()).unwrap();
            same_files(name, &directory, written.path());
        }
    }
}

/// The same tensors, bit for bit, under the same names; the same configuration.
fn same_files(name: &str, theirs: &Path, ours: &Path) {
    let read =
        |directory: &Path| std::fs::read(directory.join("adapter_model.safetensors")).unwrap();
    let (theirs_bytes, ours_bytes) = (read(theirs), read(ours));
    let theirs_file = safetensors::SafeTensors::deserialize(&theirs_bytes).unwrap();
    let ours_file = safetensors::SafeTensors::deserialize(&ours_bytes).unwrap();
    for (tensor, view) in ours_file.iter() {
        let other = theirs_file
            .tensor(tensor)
            .unwrap_or_else(|_| panic!("{name}: PEFT has no {tensor}"));
        assert_eq!(view.shape(), other.shape(), "{name}: {tensor}");
        assert_eq!(view.data(), other.data(), "{name}: {tensor}");
    }
    // With bias="all" PEFT also writes what its wrappers hold of the classifier, twice.
    let wrapped =
        |tensor: &&str| tensor.contains("original_module") || tensor.contains("modules_to_save");
    let expected = theirs_file.iter().map(|(tensor, _)| tensor);
    let expected = expected.filter(|tensor| !wrapped(tensor)).count();
    assert_eq!(ours_file.iter().count(), expected, "{name}");
    let config = |directory: &Path| AdapterFile::read(directory).unwrap().config;
    let model_type = name.split('_').next().unwrap();
    assert_eq!(config(ours), config(theirs).resolved(model_type), "{name}");
}

#[test]
fn ten_steps_match_peft() {
    let manifest = manifest();
    let tokens = tokens(&manifest);
    for device in devices() {
        for (name, case) in manifest["cases"].as_object().unwrap() {
            let Some(training) = case.get("training") else {
                continue;
            };
            let load = |moment: &str| {
                let mut model = base(case, &device);
                let directory = path("peft").join(format!("{name}_{moment}"));
                let (file, plan) = load_adapter(&mut model, "a", &directory, &device).unwrap();
                (model, file, plan)
            };
            let (model, file, plan) = load("before");
            let mut model = train_adapter(model, "a", &plan).train();
            let mut optimizer =
                Optimizer::new(OptimizerConfig::default(), ParameterGroups::new(0.01, 2));
            let labels: Vec<u32> = numbers(&training["labels"])
                .iter()
                .map(|&l| l as u32)
                .collect();
            for (step, expected) in numbers(&training["losses"]).into_iter().enumerate() {
                let logits = model.forward(&tokens, DropoutSource::OFF).unwrap();
                let loss = softmax_cross_entropy(logits, labels.as_slice().into(), 4.0);
                let gradients = ParameterGradients::backward(&loss, &model);
                let difference = largest_difference(&values(loss), &[expected]);
                assert!(
                    difference < TOLERANCE,
                    "{name}: loss of step {step}: {difference}"
                );
                model = optimizer.step(model, gradients, 1e-3, None, 1.0);
            }
            let (expected, ..) = load("after");
            let pairs = tensors(&model, &file)
                .into_iter()
                .zip(tensors(&expected, &file));
            for ((tensor, found), (other, expected)) in pairs {
                assert_eq!(tensor, other);
                let difference = largest_difference(&found, &expected);
                assert!(difference < TOLERANCE, "{name}: {tensor}: {difference}");
            }
        }
    }
}

#[test]
fn several_adapters_live_on_one_base() {
    let manifest = manifest();
    let tokens = tokens(&manifest);
    let device = &devices()[0];
    let names = ["bert_lora", "bert_dora", "bert_ia3"];
    let case = |name: &str| &manifest["cases"][name];
    let mut model = base(case(names[0]), device);
    let plain = logits(&model, &tokens);
    for name in names {
        load_adapter(&mut model, name, &path("peft").join(name), device).unwrap();
    }
    assert_eq!(adapter_names(&model), names);
    assert_eq!(model.model_type(), "bert");
    for name in names {
        set_active(&mut model, Some(name)).unwrap();
        let difference =
            largest_difference(&logits(&model, &tokens), &numbers(&case(name)["logits"]));
        assert!(difference < TOLERANCE, "{name}: {difference}");
    }
    set_active(&mut model, None).unwrap();
    assert_eq!(logits(&model, &tokens), plain);
    let error = set_active(&mut model, Some("other"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("bert_lora, bert_dora, bert_ia3"), "{error}");
}
