//! Tests of descriptions of encoders.

use std::path::Path;

use burn::{Tensor, tensor::Device};
use finetune_kernels::DropoutSource;
use finetune_task::Task;

use super::{EncoderConfig, EncoderSettings, Preset};
use crate::{
    ModelConfig, SavedModel, SequenceClassifier, family::NormPlacement, set_trained,
    testing::tokens, visit_parameters,
};

fn parse(text: &str) -> Result<EncoderConfig, String> {
    let settings = EncoderSettings::parse(text, Path::new("small.toml"));
    let resolved = settings.and_then(|settings| settings.resolve("small.toml"));
    resolved.map_err(|error| error.to_string())
}

fn model(encoder: &EncoderConfig) -> ModelConfig {
    let outputs = Task::Classes(Task::default_names(3));
    encoder.model_config(50, Some(1), outputs).unwrap()
}

#[test]
fn presets_are_of_the_families_whose_structure_they_have() {
    let found = Preset::ALL.map(|preset| {
        let encoder = preset.settings().resolve(preset.name()).unwrap();
        let config = model(&encoder);
        assert_eq!(Preset::from_name(preset.name()), Some(preset));
        (
            preset.name(),
            config.family.model_type,
            config.hidden_size,
            config.num_hidden_layers,
        )
    });
    let expected = [
        ("lab", "finetune", 100, 2),
        ("mini", "bert", 256, 4),
        ("small", "bert", 512, 4),
        ("distil", "distilbert", 768, 6),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_setting_that_no_family_has_makes_it_our_own() {
    let minimal = "hidden_size = 128\nlayers = 2\n";
    let encoder = parse(minimal).unwrap();
    assert_eq!((encoder.heads, encoder.feed_forward_size), (2, 512));
    assert_eq!(model(&encoder).family.model_type, "bert");
    for line in [
        "norm = \"pre\"",
        "positions = \"sinusoidal\"",
        "embedding_scale = \"sqrt(hidden)\"",
        "embedding_norm = false",
        "token_types = 0",
        "pooling = \"mean\"",
        "pooling = \"max\"",
        "head = \"linear\"",
        "head_activation = \"gelu\"",
        "attention_output_dropout = false",
        "feed_forward_dropout = 0.1",
    ] {
        let encoder = parse(&format!("{minimal}{line}")).unwrap();
        let config = model(&encoder);
        assert_eq!(config.family.model_type, "finetune", "{line}");
        // What the file says is what was described.
        let again = ModelConfig::parse(&config.to_json(), Path::new("config.json")).unwrap();
        assert_eq!(again.structure, encoder.structure(), "{line}");
        assert_eq!(again.to_json(), config.to_json());
    }
    let silu = parse(&format!("{minimal}activation = \"silu\"\ndropout = 0.2")).unwrap();
    assert_eq!(model(&silu).family.model_type, "bert");
    assert_eq!([silu.attention_dropout, silu.head_dropout], [0.2, 0.2]);
}

#[test]
fn settings_override_those_of_the_preset() {
    let encoder = parse("preset = \"lab\"\nlayers = 3\nactivation = \"gelu_new\"").unwrap();
    let lab = Preset::Lab.settings().resolve("lab").unwrap();
    let expected = EncoderConfig {
        layers: 3,
        activation: encoder.activation,
        ..lab.clone()
    };
    assert_eq!(encoder, expected);
    assert_ne!(encoder.activation, lab.activation);
}

#[test]
fn mistakes_are_named_by_key() {
    let minimal = "hidden_size = 100\nlayers = 2\n";
    for (text, words) in [
        ("layers = 2".to_string(), ["hidden_size", "missing"]),
        ("hidden_size = 64".into(), ["layers", "missing"]),
        (
            format!("{minimal}heads = 3"),
            ["heads", "3 heads do not divide hidden_size = 100"],
        ),
        (
            "hidden_size = 101\nlayers = 1\npositions = \"sinusoidal\"".into(),
            ["101 is odd", "102"],
        ),
        (
            format!("{minimal}layer = 2"),
            ["unknown field `layer`", "`layers`"],
        ),
        (
            format!("{minimal}hidden_act = \"relu\""),
            ["line 3", "hidden_act is called activation here"],
        ),
        (
            format!("{minimal}activation = \"mish\""),
            ["mish", "gelu_new"],
        ),
        (format!("{minimal}norm = \"middle\""), ["middle", "`pre`"]),
        (format!("{minimal}pooling = \"sum\""), ["sum", "`max`"]),
        (
            format!("{minimal}embedding_scale = 10"),
            ["line 3", "embedding_scale"],
        ),
        (format!("{minimal}preset = \"huge\""), ["huge", "`lab`"]),
        (
            format!("{minimal}dropout = 1.0"),
            ["dropout", "1 is not in [0, 1)"],
        ),
        (
            format!("{minimal}feed_forward_dropout = -0.1"),
            ["feed_forward_dropout", "-0.1"],
        ),
        (
            format!("{minimal}max_length = 0"),
            ["max_length", "0 is not from 1"],
        ),
        (
            format!("{minimal}norm_epsilon = 0.0"),
            ["norm_epsilon", "positive"],
        ),
        (
            format!("{minimal}initializer_range = nan"),
            ["initializer_range", "NaN"],
        ),
        (format!("{minimal}layers = 3"), ["line 3", "duplicate"]),
        (
            "hidden_size = 10000000\nlayers = 1".into(),
            ["hidden_size", "not from 1 to 65536"],
        ),
        (
            format!("{minimal}pooling = \"mean\"\nhead_activation = \"relu\""),
            ["head_activation", "head = \"dense\""],
        ),
    ] {
        let error = parse(&text).unwrap_err();
        for word in ["small.toml"].iter().chain(&words) {
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}

/// Every combination of settings computes each text for itself, trains all its parameters, and computes
/// the same when it has been saved and loaded.
#[test]
fn all_combinations_compute_and_come_back() {
    const CHOICES: [&[&str]; 6] = [
        &["norm = \"post\"", "norm = \"pre\""],
        &["positions = \"learned\"", "positions = \"sinusoidal\""],
        &[
            "pooling = \"first\"",
            "pooling = \"mean\"",
            "pooling = \"max\"",
        ],
        &["head = \"linear\"", "head = \"dense\""],
        &[
            "embedding_norm = true",
            "embedding_norm = false\nembedding_scale = \"sqrt(hidden)\"",
        ],
        &[
            "token_types = 0\nfeed_forward_dropout = 0.2",
            "token_types = 2",
        ],
    ];
    let device = Device::flex().autodiff();
    let mut texts = vec!["hidden_size = 12\nlayers = 2\nheads = 3\nmax_length = 9".to_string()];
    for choices in CHOICES {
        let with = |text: &String| {
            choices
                .iter()
                .map(move |choice| format!("{text}\n{choice}"))
                .collect::<Vec<_>>()
        };
        texts = texts.iter().flat_map(with).collect();
    }
    for text in texts {
        let config = model(&parse(&text).unwrap());
        let fresh = SequenceClassifier::fresh(config, 3, &device).unwrap();
        let fresh = set_trained(fresh, &|_| true);
        let tokens = tokens();
        let logits = fresh.forward(&tokens, DropoutSource::OFF).unwrap();
        let found = values(logits.clone());
        assert!(found.iter().all(|value| value.is_finite()), "{text}");
        for (row, range) in tokens.offsets.ranges().enumerate() {
            let alone = tokens.select(&[row]);
            assert_eq!(alone.offsets.num_tokens(), range.len());
            let alone = values(fresh.forward(&alone, DropoutSource::OFF).unwrap());
            assert_close(&alone, &found[3 * row..3 * row + 3], &text);
        }
        let dropped = fresh.forward(&tokens, DropoutSource::at(1, 1)).unwrap();
        let mut gradients = (dropped.clone() * dropped).sum().backward();
        visit_parameters(&fresh, &mut |id, visited| {
            let gradient = visited.take_gradient(&mut gradients);
            assert!(gradient.is_some(), "{text}: {}", id.path);
        });

        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("model");
        fresh.save(&directory, parent.path()).unwrap();
        let (again, report) =
            SequenceClassifier::load(&directory, None, 9, &Device::flex()).unwrap();
        assert!(
            report.fresh.is_empty() && report.unexpected.is_empty(),
            "{text}"
        );
        let again = values(again.forward(&tokens, DropoutSource::OFF).unwrap());
        assert_eq!(again, found, "{text}");
    }
}

#[test]
fn new_weights_are_a_function_of_the_seed() {
    let lab = Preset::Lab.settings().resolve("lab").unwrap();
    let lab = EncoderConfig {
        norm: NormPlacement::Pre,
        ..lab
    };
    let weights = |seed| {
        let model = SequenceClassifier::fresh(model(&lab), seed, &Device::flex()).unwrap();
        let tensors = model.file_tensors().into_iter();
        tensors
            .map(|tensor| (tensor.name.clone(), tensor.values()))
            .collect::<Vec<_>>()
    };
    let (found, again, other) = (weights(1), weights(1), weights(2));
    assert_eq!(found, again);
    let mut drawn = 0;
    for ((name, values), (_, others)) in found.iter().zip(&other) {
        let is_bias = name.ends_with(".bias");
        if is_bias || name.contains("norm") {
            let constant = if is_bias { 0.0 } else { 1.0 };
            assert!(values.iter().all(|value| *value == constant), "{name}");
            continue;
        }
        let squares: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
        let deviation = (squares / values.len() as f64).sqrt();
        assert!((deviation - 0.1).abs() < 0.01, "{name}: {deviation}");
        assert_ne!(values, others, "{name}");
        drawn += 1;
    }
    assert_eq!(drawn, 1 + 2 * 6 + 1);
    let start = |part: &str| {
        let (_, values) = found.iter().find(|(name, _)| name.contains(part)).unwrap();
        values[..8].to_vec()
    };
    assert_ne!(
        start("layers.0.self_attn.query.weight"),
        start("layers.0.self_attn.key.weight")
    );
    assert_ne!(
        start("layers.0.linear1.weight"),
        start("layers.1.linear1.weight")
    );
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() < 1e-5,
            "{what}: {found} {expected}"
        );
    }
}
