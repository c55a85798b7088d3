//! Tiny models with random weights for this crate's tests.

use std::path::Path;

use burn::tensor::Device;
use finetune_kernels::{Offsets, PackedTokens, Pooling, Stream, random};
use serde_json::{Map, Value, json};

use crate::{
    Family, ModelConfig, SequenceClassifier,
    family::{EmbeddingScale, NormPlacement, PositionKind, Structure},
    parameters,
    values::Values,
};

/// Returns the configuration of a tiny model of `family` in which no two sizes are equal; `more`
/// overrides keys of its `config.json`.
pub(crate) fn config_with(family: &Family, more: Value) -> ModelConfig {
    let keys = &family.keys;
    let mut all: Map<String, Value> = Map::new();
    let mut set = |key: &str, value: Value| all.insert(key.into(), value);
    set("model_type", json!(family.model_type));
    set("vocab_size", json!(23));
    set(keys.hidden_size, json!(12));
    if let Some(key) = keys.embedding_size {
        set(key, json!(8));
    }
    set(keys.layers, json!(3));
    set(keys.heads, json!(2));
    set(keys.intermediate_size, json!(20));
    set(keys.activation, json!("gelu"));
    set("max_position_embeddings", json!(17));
    set("type_vocab_size", json!(2));
    set("num_labels", json!(5));
    if family.structure.is_none() {
        // Unlike any other family, as far as possible.
        let structure = Structure {
            norm: NormPlacement::Pre,
            positions: PositionKind::Sinusoidal,
            embedding_scale: EmbeddingScale::SqrtHidden,
            feed_forward_dropout: 0.1,
            pooling: Pooling::Mean,
            ..Structure::OF_BERT
        };
        let settings = structure.settings().into_iter();
        all.extend(settings.map(|(key, value)| (key.to_string(), value)));
    }
    if let Value::Object(more) = more {
        all.extend(more);
    }
    let text = Value::Object(all).to_string();
    ModelConfig::parse(&text, Path::new("config.json")).unwrap()
}

/// Returns the configuration of [`config_with`] without overrides.
pub(crate) fn config(family: &Family) -> ModelConfig {
    config_with(family, json!({}))
}

/// Returns a model with random weights on the CPU.
pub(crate) fn model(config: ModelConfig) -> SequenceClassifier {
    let drawn = parameters(&config).into_iter().enumerate();
    let drawn = drawn.map(|(number, parameter)| {
        let values = random::normal(7, Stream::adapter(number), parameter.num_elements(), 0.3);
        (parameter.path.clone(), (values, parameter.model_shape()))
    });
    let device = Device::flex();
    let mut values = Values {
        by_path: drawn.collect(),
        device: &device,
    };
    let model = SequenceClassifier::new(&mut values, config).unwrap();
    assert!(values.by_path.is_empty(), "each parameter has a place");
    model
}

/// Returns three sequences of 4, 1 and 6 tokens, none of them padding.
pub(crate) fn tokens() -> PackedTokens {
    PackedTokens {
        ids: [5, 9, 6, 7, 8, 22, 6, 6, 10, 11, 12].into(),
        positions: [0, 1, 2, 3, 0, 0, 1, 2, 3, 4, 5].into(),
        type_ids: [0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1].into(),
        offsets: Offsets::from_lengths([4, 1, 6]),
        used_rows: None,
    }
}
