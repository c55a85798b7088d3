//! Tests that write directories and read them back, for every family.

use std::{fs, path::Path};

use burn::tensor::Device;
use finetune_peft::{NamedTensor, write_tensors};
use serde_json::json;

use crate::{
    LoadReport, ModelConfig, ModelError, SafetensorsFile, SavedModel, SequenceClassifier, Task,
    family::{BERT, DISTILBERT, ELECTRA, FAMILIES, ROBERTA},
    parameters,
    testing::{config, config_with, model, tokens},
    unused_weights,
};

fn load(directory: &Path) -> (SequenceClassifier, LoadReport) {
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

/// transformers saves a bare encoder without the family's prefix; the oldest files have `gamma` and
/// `beta`, and weights of the pretraining head.
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
        let ignored = family.ignored.first().map(|start| NamedTensor {
            name: format!("{start}anything"),
            ..kept[0].clone()
        });
        kept.extend(ignored);
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

/// Writes a model directory whose tensors `change` has altered.
fn write(
    model: &SequenceClassifier,
    change: impl FnOnce(&mut Vec<NamedTensor>),
) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let json = model.config().to_json();
    fs::write(directory.path().join("config.json"), json).unwrap();
    let mut tensors = model.file_tensors();
    change(&mut tensors);
    write_tensors(&directory.path().join("model.safetensors"), tensors).unwrap();
    directory
}

fn refused(directory: &Path) -> ModelError {
    SequenceClassifier::load(directory, None, 5, &Device::flex()).unwrap_err()
}

/// Checkpoints that transformers wrote, of every table, with and without an embedding projection.
#[test]
fn tables_have_the_names_and_shapes_of_transformers_checkpoints() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let mut families = Vec::new();
    for (name, family) in [
        ("tiny_bert", "bert"),
        ("tiny_distilbert", "distilbert"),
        ("families/roberta", "roberta"),
        ("families/xlm_roberta", "xlm-roberta"),
        ("families/camembert", "camembert"),
        ("families/electra", "electra"),
        ("families/electra_narrow", "electra"),
    ] {
        let directory = fixtures.join(name);
        let config = ModelConfig::from_directory(&directory).unwrap();
        assert_eq!(config.family.model_type, family);
        families.push(family);
        let file = SafetensorsFile::open(&directory.join("model.safetensors")).unwrap();
        let shape = |name: &String| file.shape(name).unwrap().to_vec();
        let found = file.names().into_iter();
        let found: Vec<_> = found.map(|name| (shape(&name), name)).collect();
        let described = parameters(&config).into_iter();
        let mut described: Vec<_> = described.map(|p| (p.shape, p.name)).collect();
        described.sort_by(|a, b| a.1.cmp(&b.1));
        assert_eq!(described, found, "{name}");
    }
    families.dedup();
    let foreign = FAMILIES.iter().filter(|family| family.structure.is_some());
    assert_eq!(families.len(), foreign.count());
}

#[test]
fn heads_of_every_problem_type_come_back() {
    let names = |count| Task::default_names(count);
    for family in FAMILIES {
        for outputs in [
            Task::Classes(vec!["no".into(), "yes".into()]),
            Task::MultiLabel(names(3)),
            Task::Regression(names(1)),
            Task::Regression(vec!["width".into(), "height".into()]),
        ] {
            let mut model = model(config(family)).with_outputs(outputs, 2, &Device::flex());
            let thresholds = match model.config().outputs {
                Task::MultiLabel(_) => Some(vec![0.25, 0.5, 0.75]),
                _ => None,
            };
            model.set_label_thresholds(thresholds);
            let directory = write(&model, |_| ());
            let (again, report) = load(directory.path());
            assert_eq!(again.config().outputs, model.config().outputs);
            assert_eq!(
                again.config().label_thresholds,
                model.config().label_thresholds
            );
            assert_eq!(tensors(&again), tensors(&model));
            assert!(report.fresh.is_empty());
        }
    }
}

#[test]
fn shapes_that_contradict_the_configuration_are_refused_by_name() {
    for family in FAMILIES {
        let model = model(config(family));
        let name = model.file_tensors()[0].name.clone();
        let directory = write(&model, |tensors| {
            tensors[0].shape = vec![tensors[0].shape.iter().product()]
        });
        let ModelError::Mismatch { problems, .. } = refused(directory.path()) else {
            panic!("{}", refused(directory.path()));
        };
        assert_eq!(problems.len(), 1);
        let width = model.config().embedding_size;
        for part in [name, format!("[{}]", 23 * width), format!("[23, {width}]")] {
            assert!(problems[0].contains(&part), "{problems:?}");
        }
    }
}

#[test]
fn missing_encoder_weights_are_refused_by_name() {
    for (family, name) in [
        (&BERT, "bert.encoder.layer.1.attention.self.key.bias"),
        (
            &DISTILBERT,
            "distilbert.transformer.layer.0.ffn.lin2.weight",
        ),
        (&ROBERTA, "roberta.embeddings.token_type_embeddings.weight"),
        (&ELECTRA, "electra.embeddings_project.weight"),
    ] {
        let directory = write(&model(config(family)), |tensors| {
            tensors.retain(|t| t.name != name)
        });
        match refused(directory.path()) {
            ModelError::MissingWeights { missing, .. } => assert_eq!(missing, [name]),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn surplus_weights_are_reported_by_name() {
    let model = model(config(&BERT));
    let directory = write(&model, |tensors| {
        for name in [
            "bert.encoder.layer.3.output.dense.bias",
            "adapter.gate",
            "cls.predictions.bias",
        ] {
            tensors.push(NamedTensor {
                name: name.into(),
                ..tensors[1].clone()
            });
        }
    });
    let (_, report) = load(directory.path());
    assert_eq!(
        report.unexpected,
        ["adapter.gate", "bert.encoder.layer.3.output.dense.bias"]
    );
    let notes = report.notes();
    assert_eq!(
        notes,
        unused_weights(directory.path(), model.config()).unwrap()
    );
    let [layers, others] = &notes[..] else {
        panic!("{notes:?}");
    };
    assert!(
        layers.contains("bert.encoder.layer.3.*") && layers.contains("3 layers"),
        "{layers}"
    );
    assert!(others.contains("adapter.gate"), "{others}");
}

#[test]
fn weights_that_are_not_finite_are_refused_by_name() {
    let model = model(config(&DISTILBERT));
    let directory = write(&model, |tensors| {
        tensors[3].tensor = tensors[3].tensor.clone() / 0.0;
    });
    let expected = model.file_tensors()[3].name.clone();
    match refused(directory.path()) {
        ModelError::NotFinite { tensor, value, .. } => {
            assert_eq!(tensor, expected);
            assert!(!value.is_finite());
        }
        other => panic!("{other}"),
    }
}

#[test]
fn reordered_outputs_keep_their_values() {
    let outputs = |names: [&str; 5]| Task::Classes(names.map(String::from).to_vec());
    for family in FAMILIES {
        let model = model(config(family));
        let logits = |model: &SequenceClassifier| -> Vec<f32> {
            let logits = model
                .forward(&tokens(), finetune_kernels::DropoutSource::OFF)
                .unwrap();
            logits.into_data().iter::<f32>().collect()
        };
        let order = [4, 2, 0, 1, 3];
        let reordered = model
            .clone()
            .with_order(outputs(["e", "c", "a", "b", "d"]), &order);
        assert_eq!(reordered.config().outputs.names()[0], "e");
        let (before, after) = (logits(&model), logits(&reordered));
        for row in 0..3 {
            for (output, &old) in order.iter().enumerate() {
                let (found, expected) = (after[5 * row + output], before[5 * row + old]);
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }
}

#[test]
fn renaming_outputs_keeps_their_number() {
    let mut model = model(config(&BERT));
    model.set_label_thresholds(Some(vec![0.5; 5]));
    let error = model.name_outputs(Task::Classes(Task::default_names(4)));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("4 names for a model with 5 outputs")
    );
    assert!(model.config().label_thresholds.is_some());
    let before = tensors(&model);
    model
        .name_outputs(Task::MultiLabel(Task::default_names(5)))
        .unwrap();
    assert_eq!(model.config().label_thresholds, None);
    assert_eq!(tensors(&model), before);
}

/// The name of a single value does not matter; its problem type does.
#[test]
fn a_classifier_is_kept_for_the_same_outputs_only() {
    let score = Task::Regression(vec!["score".into()]);
    let model = model(config(&BERT)).with_outputs(score, 3, &Device::flex());
    let directory = write(&model, |_| ());
    for (outputs, kept) in [
        (Task::Regression(vec!["stars".into()]), true),
        (Task::Classes(vec!["score".into()]), false),
        (Task::Regression(Task::default_names(2)), false),
    ] {
        let wanted = Some(outputs.clone());
        let (again, report) =
            SequenceClassifier::load(directory.path(), wanted, 9, &Device::flex()).unwrap();
        assert_eq!(again.config().outputs, outputs);
        assert_eq!(report.fresh_classifier, !kept, "{outputs:?}");
        let replaced = if kept {
            vec![]
        } else {
            vec!["classifier.weight", "classifier.bias"]
        };
        assert_eq!(report.replaced, replaced);
    }
}
