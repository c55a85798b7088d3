//! Directories that are written and read again, for every family.

use std::{fs, path::Path};

use burn::tensor::Device;
use finetune_peft::{NamedTensor, write_tensors};
use serde_json::json;

use crate::{
    ModelConfig, SequenceClassifier, Task,
    family::{ELECTRA, FAMILIES, ROBERTA},
    testing::{config, config_with, model},
};

fn load(directory: &Path) -> (SequenceClassifier, crate::LoadReport) {
    SequenceClassifier::load(directory, None, 5, &Device::flex()).unwrap()
}

fn tensors(model: &SequenceClassifier) -> Vec<(String, Vec<f32>)> {
    let tensors = model.file_tensors().into_iter();
    tensors.map(|t| (t.name.clone(), t.values())).collect()
}

#[test]
fn saved_models_come_back() {
    for family in FAMILIES {
        let parent = tempfile::tempdir().unwrap();
        let model = model(config(family));
        let directory = parent.path().join("model");
        model.save(&directory, parent.path()).unwrap();
        let (again, report) = load(&directory);
        assert_eq!(again.config().family.model_type, family.model_type);
        assert_eq!(tensors(&again), tensors(&model), "{}", family.model_type);
        assert!(report.fresh.is_empty() && report.unexpected.is_empty());
        let text = fs::read_to_string(directory.join("config.json")).unwrap();
        assert!(text.contains(family.architecture), "{text}");
    }
}

/// Encoders as transformers saves them alone: without the family's prefix, and in the oldest files
/// with `gamma` and `beta`; beside them what pretraining had on top.
#[test]
fn bare_encoders_open_with_a_fresh_head() {
    for family in FAMILIES {
        let model = model(config(family));
        let directory = tempfile::tempdir().unwrap();
        fs::write(
            directory.path().join("config.json"),
            model.config().to_json(),
        )
        .unwrap();
        let rename = |mut tensor: NamedTensor| {
            let bare = tensor.name.strip_prefix(family.prefix)?;
            tensor.name = bare
                .replace("orm.weight", "orm.gamma")
                .replace("orm.bias", "orm.beta");
            Some(tensor)
        };
        let kept = model.file_tensors().into_iter().filter_map(rename);
        let mut kept: Vec<_> = kept.filter(|t| !t.name.starts_with("pooler.")).collect();
        let encoder = kept.len();
        kept.push(NamedTensor {
            name: format!("{}anything", family.ignored[0]),
            ..kept[0].clone()
        });
        write_tensors(&directory.path().join("model.safetensors"), kept).unwrap();
        let (again, report) = load(directory.path());
        assert_eq!(report.fresh.len(), 4, "{:?}", report.fresh);
        assert!(report.fresh_classifier);
        assert_eq!(report.unexpected, [""; 0]);
        let (found, expected) = (tensors(&again), tensors(&model));
        assert_eq!(
            found[..encoder],
            expected[..encoder],
            "{}",
            family.model_type
        );
        assert_ne!(found[encoder..], expected[encoder..]);
    }
}

#[test]
fn other_outputs_draw_the_classifier_alone() {
    for family in FAMILIES {
        let model = model(config(family));
        let outputs = Task::Classes(vec!["no".into(), "yes".into()]);
        let other = model.clone().with_outputs(outputs, 9, &Device::flex());
        let (found, expected) = (tensors(&other), tensors(&model));
        let unchanged = found.len() - 2;
        assert_eq!(found[..unchanged], expected[..unchanged]);
        assert_eq!(
            found[unchanged].0,
            format!("{}.weight", model.config().classifier_name())
        );
        assert_eq!(found[unchanged].1.len(), 2 * 12);
        assert_eq!(found[unchanged + 1].1, [0.0; 2]);
    }
}

#[test]
fn sizes_that_a_family_needs() {
    let parse = |config: &ModelConfig, key: &str, value: serde_json::Value| {
        let mut json: serde_json::Value = serde_json::from_str(&config.to_json()).unwrap();
        json[key] = value;
        ModelConfig::parse(&json.to_string(), Path::new("config.json"))
    };
    let roberta = config(&ROBERTA);
    assert_eq!(roberta.longest_sequence(), 15, "17 rows, counted from 2");
    let moved = config_with(&ROBERTA, json!({ "pad_token_id": 4 }));
    assert_eq!(moved.longest_sequence(), 12);
    for (config, key, value, words) in [
        (
            &roberta,
            "pad_token_id",
            json!(16),
            ["max_position_embeddings", "pad_token_id"],
        ),
        (
            &roberta,
            "pad_token_id",
            json!(-1),
            ["pad_token_id", "not the id"],
        ),
        (
            &config(&ELECTRA),
            "embedding_size",
            json!(null),
            ["embedding_size", "missing"],
        ),
    ] {
        let error = parse(config, key, value).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{error}");
        }
    }
}
