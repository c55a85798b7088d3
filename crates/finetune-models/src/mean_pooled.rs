//! Models whose head reads the mean of a text's tokens, as sentence embeddings do.

use std::{collections::BTreeMap, path::Path};

use burn::tensor::Device;
use finetune_kernels::{Activation, Pooling};

use crate::{
    Component, EncoderConfig, LoadReport, ModelConfig, ModelError, Place, Role, SequenceClassifier,
    Task,
    family::{HeadLayers, TokenTypes},
    files::load::classifier_values,
    parameters,
    values::{ShapedValues, Values},
};

impl SequenceClassifier {
    /// Loads a directory as [`load_with`](Self::load_with) does, but as a model whose head is a single
    /// linear layer on the mean of a text's tokens. The encoder is that of the directory; unless it was
    /// such a model already, the head is new, and the model is of our own family.
    ///
    /// # Errors
    /// Fails as `load_with` does, and with [`ModelError::NoMeanPooling`] for an encoder that our own family
    /// cannot express.
    pub fn load_mean_pooled(
        config: ModelConfig,
        directory: &Path,
        outputs: Task,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), ModelError> {
        let structure = &config.structure;
        if structure.pooling == Pooling::Mean && structure.head.dense.is_none() {
            return Self::load_with(config, directory, Some(outputs), seed, device);
        }
        let pooled = mean_pooled(&config, outputs.clone())?;
        let config = config.with_outputs(outputs);
        let (mut by_path, mut report) = classifier_values(&config, directory, false, seed)?;
        fit_tables(&config, &mut by_path);
        let model = Self::new(&mut Values { by_path, device }, pooled)?;
        let of_head = parameters(model.config()).into_iter();
        let of_head = of_head.filter(|parameter| parameter.place == Place::Classifier);
        report.fresh = of_head.map(|parameter| parameter.name).collect();
        report.fresh_classifier = true;
        Ok((model, report))
    }
}

/// Returns the configuration of a model of our own family with this encoder, pooling by the mean.
fn mean_pooled(config: &ModelConfig, outputs: Task) -> Result<ModelConfig, ModelError> {
    if config.embedding_size != config.hidden_size {
        return Err(ModelError::NoMeanPooling {
            model_type: config.family.model_type,
            embedding_size: config.embedding_size,
            hidden_size: config.hidden_size,
        });
    }
    let structure = config.structure;
    let encoder = EncoderConfig {
        hidden_size: config.hidden_size,
        layers: config.num_hidden_layers,
        heads: config.num_attention_heads,
        feed_forward_size: config.intermediate_size,
        activation: config.activation,
        norm: structure.norm,
        positions: structure.positions,
        embedding_scale: structure.embedding_scale,
        embedding_norm: structure.embedding_norm,
        token_types: match config.family.token_types {
            TokenTypes::Zero => 0,
            _ => config.type_vocab_size,
        },
        pooling: Pooling::Mean,
        head: HeadLayers::Linear,
        head_activation: Activation::Tanh,
        dropout: config.dropout,
        attention_dropout: config.attention_dropout,
        attention_output_dropout: structure.attention_output_dropout,
        feed_forward_dropout: structure.feed_forward_dropout,
        head_dropout: config.classifier_dropout,
        max_length: config.longest_sequence(),
        norm_epsilon: config.norm_epsilon,
        initializer_range: config.initializer_range,
    };
    encoder.model_config(config.vocab_size, None, outputs)
}

/// Fits the tables of positions and token types of another family to our own, whose positions count from
/// 0, and which has no table for a single type: that type is part of every position.
fn fit_tables(config: &ModelConfig, by_path: &mut BTreeMap<String, ShapedValues>) {
    let path = |component: Component, role: Role| role.path_of(&component.path(0));
    let width = config.hidden_size;
    let single_type = match config.family.token_types {
        TokenTypes::Zero => by_path.remove(&path(Component::TokenTypeTable, Role::TokenTypeTable)),
        _ => None,
    };
    let positions = path(Component::PositionTable, Role::PositionTable);
    let Some((values, shape)) = by_path.get_mut(&positions) else {
        return;
    };
    let rows = config.longest_sequence();
    values.drain(..values.len() - rows * width);
    *shape = vec![rows, width];
    if let Some((single, _)) = single_type {
        for row in values.chunks_mut(width) {
            for (value, addend) in row.iter_mut().zip(&single) {
                *value += addend;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::Tensor;
    use finetune_kernels::DropoutSource;

    use super::*;
    use crate::{
        SavedModel, WEIGHTS,
        family::FAMILIES,
        testing::{config, model, tokens},
    };

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    /// The encoder computes the same, and the head reads the mean of what it computes.
    #[test]
    fn every_family_keeps_its_encoder() {
        let off = DropoutSource::OFF;
        for family in FAMILIES {
            let folder = tempfile::tempdir().unwrap();
            let before = model(config(family));
            before.save_weights(&folder.path().join(WEIGHTS)).unwrap();
            let outputs = Task::Classes(Task::default_names(4));
            let load = || {
                let config = before.config().clone();
                let device = before.device();
                SequenceClassifier::load_mean_pooled(
                    config,
                    folder.path(),
                    outputs.clone(),
                    5,
                    &device,
                )
            };
            if before.config().embedding_size != before.config().hidden_size {
                let error = load().unwrap_err().to_string();
                assert!(error.contains("embedding_size"), "{error}");
                continue;
            }
            let (after, report) = load().unwrap();
            let name = family.model_type;
            assert_eq!(after.config().family.model_type, "finetune", "{name}");
            assert_eq!(report.fresh, ["classifier.weight", "classifier.bias"]);
            let tokens = tokens();
            let expected = values(before.encoder.encode(&tokens, off).unwrap());
            let found = values(after.encoder.encode(&tokens, off).unwrap());
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-5, "{name}");
            }
            let hidden = after.encoder.embed(&tokens, off).unwrap();
            let pooled = values(after.encoder.pooled(hidden, &tokens.offsets, off));
            let width = after.config().hidden_size;
            for (sequence, range) in tokens.offsets.ranges().enumerate() {
                let count = range.len() as f32;
                for column in 0..width {
                    let sum: f32 = range.clone().map(|t| expected[t * width + column]).sum();
                    let found = pooled[sequence * width + column];
                    assert!((found - sum / count).abs() < 1e-5, "{name}");
                }
            }
            assert_eq!(after.forward(&tokens, off).unwrap().dims(), [3, 4]);
        }
    }
}
