//! Steps on pairs of texts equal torch's with sentence-transformers' `CosineSimilarityLoss`.

use burn::{module::Module, tensor::Device};
use finetune_data::PackedBatch;
use finetune_kernels::DropoutSource;
use finetune_models::{ModelConfig, SavedModel, SequenceClassifier, to_file_layout};
use finetune_train::{Optimizer, OptimizerConfig, ParameterGroups, clip_factor, pair_loss};

use super::trajectories::{SAMPLES, packed, rows};
use crate::{
    fixtures::{self, Fixture, devices, largest_difference, path, values},
    tolerance,
};

/// `tiny_bert`'s encoder below a head on the mean of its tokens.
fn model(device: &Device) -> SequenceClassifier {
    let directory = path("tiny_bert");
    let config = ModelConfig::from_directory(&directory).unwrap();
    let outputs = config.outputs.clone();
    let loaded = SequenceClassifier::load_mean_pooled(config, &directory, outputs, 0, device);
    loaded.unwrap().0.train()
}

#[test]
fn ten_steps_on_pairs() {
    let manifest = fixtures::manifest();
    let zero_gradients = &manifest["models"]["tiny_bert"]["zero_gradient_parameters"];
    let zero_gradients = zero_gradients.as_array().unwrap();
    for device in devices() {
        let mut fixture = Fixture::open("optim/trajectories.safetensors");
        let losses = fixture.floats("contrastive.losses");
        let norms = fixture.floats("contrastive.grad_norms");
        let config: OptimizerConfig = toml::from_str("optim = \"adamw\"").unwrap();
        let mut optimizer = Optimizer::new(config, ParameterGroups::new(0.01, 2));
        let mut model = model(&device);
        for (step, rows) in rows().chunks(4).enumerate() {
            // Two batches of one pair each add up to a step of two pairs.
            let batches = rows.chunks(2).map(|pair| {
                let (tokens, labels) = packed(pair);
                PackedBatch {
                    tokens,
                    rows: vec![0, 1],
                    labels,
                }
            });
            let batches: Vec<_> = batches.collect();
            let (found, gradients) = pair_loss(&model, &batches, |_| DropoutSource::OFF).unwrap();
            let difference = (found.total() - f64::from(losses[step])).abs();
            assert!(
                difference < tolerance::TRAJECTORY_LOSS,
                "step {step}: {difference:e}"
            );
            let norm = gradients.global_norm();
            let difference = (norm / f64::from(norms[step]) - 1.0).abs();
            assert!(
                difference < tolerance::TRAJECTORY_NORM,
                "step {step}: {difference:e}"
            );
            let clip = clip_factor(norm, 1.0);
            model = optimizer.step(model, gradients, 1e-3, None, clip);
        }
        let bert = fixtures::path("tiny_bert");
        let names = finetune_models::parameters(&ModelConfig::from_directory(&bert).unwrap());
        let mut compared = 0;
        for (parameter, tensor) in model.named_tensors() {
            // Paths in checkpoints are the same in every family; the head takes no part.
            let same = names.iter().find(|other| other.path == parameter.path);
            let Some(name) = same
                .map(|other| &other.name)
                .filter(|_| !parameter.place.is_head())
            else {
                continue;
            };
            let found = to_file_layout(&parameter, values(tensor));
            let stride = (found.len() / SAMPLES).max(1);
            let found: Vec<_> = found.into_iter().step_by(stride).collect();
            let expected = fixture.floats(&format!("contrastive.final.{name}"));
            // See trajectories.rs.
            let tolerance = match zero_gradients.iter().any(|other| other == name) {
                true => 4.0 * 1e-2,
                false => tolerance::TRAJECTORY_WEIGHT,
            };
            let difference = largest_difference(&found, &expected);
            assert!(difference < tolerance, "{name} differs by {difference:e}");
            compared += 1;
        }
        assert_eq!(
            compared,
            names.iter().filter(|p| !p.place.is_head()).count()
        );
    }
}
