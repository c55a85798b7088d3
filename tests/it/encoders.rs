//! Encoders that no family of transformers has compute and train as PyTorch's `nn.TransformerEncoder` does.
//! Weights, tokens and labels are those of `fixtures/make_encoders.py`, by the same formula.

use std::collections::BTreeMap;

use burn::{
    Tensor,
    tensor::{Device, TensorData},
};
use finetune_kernels::{DropoutSource, Offsets, PackedTokens, softmax_cross_entropy, transpose};
use finetune_models::{
    EncoderSettings, Parameter, ParameterId, ParameterMap, SavedModel, SequenceClassifier, Task,
    map_parameters, parameters, set_trained, to_file_layout,
};
use finetune_train::{
    Optimizer, OptimizerConfig, ParameterGradients, ParameterGroups, clip_factor,
};

use crate::{
    fixtures::{self, Fixture, devices, largest_difference, values},
    tolerance,
};

const WORDS: usize = 61;
const CLASSES: usize = 4;
const LENGTHS: [u32; 7] = [9, 1, 24, 3, 17, 2, 12];
const STEPS: usize = 10;
const SAMPLES: usize = 64;

/// Integers of 32 bits, a function of the stream and the index.
fn scrambled(stream: u32, count: usize) -> impl Iterator<Item = u32> {
    (0..count as u32).map(move |index| {
        let mut x = index.wrapping_add(1_000_003_u32.wrapping_mul(stream));
        for (shift, factor) in [(16, 0x7FEB_352D), (15, 0x846C_A68B)] {
            x = (x ^ (x >> shift)).wrapping_mul(factor);
        }
        x ^ (x >> 16)
    })
}

/// The initial values of a parameter, in the layout of files.
fn initial(parameter: &Parameter, number: u32) -> Vec<f32> {
    let name = &parameter.name;
    let unit = scrambled(number, parameter.num_elements());
    let unit = unit.map(|x| f64::from(x) / f64::from(1_u32 << 31) - 1.0);
    if name.contains("norm") && name.ends_with("weight") {
        return unit.map(|unit| (1.0 + 0.3 * unit) as f32).collect();
    }
    let scale = if name.ends_with("bias") {
        0.2
    } else if name.contains("embeddings") {
        0.9
    } else {
        1.7 / (parameter.shape[1] as f64).sqrt()
    };
    unit.map(|unit| (scale * unit) as f32).collect()
}

/// Replaces all parameters.
struct Replace(BTreeMap<String, Vec<f32>>);

impl ParameterMap for Replace {
    fn wants(&mut self, _: &ParameterId) -> bool {
        true
    }

    fn map(&mut self, id: &ParameterId, _: &[usize], values: Tensor<1>) -> Tensor<1> {
        let new = self.0.remove(&id.path).unwrap();
        let length = new.len();
        Tensor::from_data(TensorData::new(new, [length]), &values.device())
    }
}

fn model(settings: EncoderSettings, device: &Device) -> SequenceClassifier {
    let encoder = settings.resolve("the fixture").unwrap();
    let outputs = Task::Classes(Task::default_names(CLASSES));
    let config = encoder.model_config(WORDS, None, outputs).unwrap();
    assert_eq!(config.family.model_type, "finetune");
    let mut all = parameters(&config);
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let new = all.iter().enumerate().map(|(number, parameter)| {
        let values = initial(parameter, number as u32);
        let values = match parameter.shape[..] {
            [out, input] if parameter.is_transposed() => transpose(&values, out, input),
            _ => values,
        };
        (parameter.path.clone(), values)
    });
    let mut new = Replace(new.collect());
    let fresh = SequenceClassifier::fresh(config, 1, device).unwrap();
    set_trained(map_parameters(fresh, &mut new), &|_| true)
}

/// The tokens and labels of a step.
fn batch(step: usize) -> (PackedTokens, Vec<u32>) {
    let offsets = Offsets::from_lengths(LENGTHS);
    let ids = scrambled(900 + step as u32, offsets.num_tokens());
    let labels = scrambled(950 + step as u32, LENGTHS.len());
    let tokens = PackedTokens {
        ids: ids.map(|x| x % WORDS as u32).collect(),
        positions: LENGTHS.iter().flat_map(|&length| 0..length).collect(),
        type_ids: vec![0; offsets.num_tokens()].into(),
        offsets,
        used_rows: None,
    };
    (tokens, labels.map(|x| x % CLASSES as u32).collect())
}

/// The elements that the fixtures have of a tensor.
fn sampled(all: Vec<f32>) -> Vec<f32> {
    let step = (all.len() / SAMPLES).max(1);
    all.into_iter().step_by(step).take(SAMPLES).collect()
}

fn check(name: &str, settings: EncoderSettings) {
    for device in devices() {
        let mut fixture = Fixture::open(&format!("encoders/{name}.safetensors"));
        let mut model = model(settings.clone(), &device.autodiff());
        let losses = fixture.floats("losses");
        assert_eq!(losses.len(), STEPS);
        let mut optimizer =
            Optimizer::new(OptimizerConfig::default(), ParameterGroups::new(0.01, 2));
        for (step, expected) in losses.iter().enumerate() {
            let (tokens, labels) = batch(step);
            let logits = model.forward(&tokens, DropoutSource::OFF).unwrap();
            if step == 0 {
                let found = values(logits.clone().inner());
                let difference = largest_difference(&found, &fixture.floats("logits"));
                assert!(difference < tolerance::LOGITS, "{name}: {difference}");
            }
            let loss = softmax_cross_entropy(logits, labels.into(), LENGTHS.len() as f64);
            let found = values(loss.clone().inner());
            let difference = largest_difference(&found, &[*expected]);
            assert!(
                difference < tolerance::TRAJECTORY_LOSS,
                "{name}, step {step}: {difference}"
            );
            let gradients = ParameterGradients::backward(&loss, &model);
            if step == 0 {
                check_gradients(name, &model, &gradients, &mut fixture);
            }
            let factor = clip_factor(gradients.global_norm(), 1.0);
            model = optimizer.step(model, gradients, 1e-3, None, factor);
        }
        for (parameter, tensor) in model.named_tensors() {
            let found = sampled(to_file_layout(&parameter, values(tensor.inner())));
            let expected = fixture.floats(&format!("final.{}", parameter.name));
            let limit = match is_noise(&parameter) {
                true => STEPS as f64 * 1e-3,
                false => tolerance::TRAJECTORY_WEIGHT,
            };
            let difference = largest_difference(&found, &expected);
            assert!(
                difference < limit,
                "{name}: {}: {difference}",
                parameter.name
            );
        }
    }
}

/// Whether the gradient is zero in exact arithmetic, so that Adam's steps are rounding noise.
fn is_noise(parameter: &Parameter) -> bool {
    parameter.name.ends_with("key.bias")
}

fn check_gradients(
    name: &str,
    model: &SequenceClassifier,
    gradients: &ParameterGradients,
    fixture: &mut Fixture,
) {
    let gradients: BTreeMap<_, _> = gradients.iter().collect();
    for (parameter, _) in model.named_tensors() {
        let found = values(gradients[&parameter.path].clone());
        let squares: f64 = found.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let found = sampled(to_file_layout(&parameter, found));
        let expected = fixture.floats(&format!("grad.{}", parameter.name));
        let norm = f64::from(fixture.floats(&format!("grad_norm.{}", parameter.name))[0]);
        let difference = largest_difference(&found, &expected);
        assert!(
            difference < tolerance::GRADIENT,
            "{name}: {}: {difference}",
            parameter.name
        );
        if !is_noise(&parameter) {
            let difference = (squares.sqrt() / norm - 1.0).abs();
            assert!(
                difference < tolerance::GRADIENT,
                "{name}: norm of {}: {difference}",
                parameter.name
            );
        }
    }
}

#[test]
fn encoders_train_as_in_pytorch() {
    let cases = fixtures::json("encoders/encoders.json");
    let cases = cases.as_object().unwrap();
    assert_eq!(cases.len(), 5);
    for (name, case) in cases {
        let settings = serde_json::from_value(case["settings"].clone()).unwrap();
        check(name, settings);
    }
}
