//! Optimizers take the same steps as those of torch and transformers.

use burn::module::Module;
use finetune_models::{SavedModel, SequenceClassifier, to_file_layout};
use finetune_train::{Ema, Optimizer, OptimizerConfig, ParameterGroups, SgdConfig};

use super::{NAMES, STEPS, cases, doubles, gradients, tiny_bert};
use crate::{
    fixtures::{Fixture, devices, relative_norm, values},
    tolerance,
};

/// As in `make_optim.py`.
fn learning_rate(step: u64) -> f64 {
    1e-2 * (1.0 - step as f64 / 20.0)
}

fn assert_equal(model: &SequenceClassifier, fixture: &mut Fixture, case: &str) {
    for (parameter, tensor) in model.named_tensors() {
        if !NAMES.contains(&parameter.name.as_str()) {
            continue;
        }
        let found = to_file_layout(&parameter, values(tensor));
        let expected = fixture.floats(&format!("{case}.{}", parameter.name));
        let difference = relative_norm(&found, &expected);
        assert!(
            difference < tolerance::OPTIMIZER,
            "{case}: {} differs by {difference:e}",
            parameter.name
        );
    }
}

/// Ten steps of each, on weights that lie transposed here, one of which is unfrozen late.
#[test]
fn optimizers_are_torchs_and_transformers() {
    for device in devices() {
        let mut fixture = Fixture::open("optim/optimizers.safetensors");
        for case in cases("optimizers.json") {
            let config: OptimizerConfig = serde_json::from_value(case["config"].clone()).unwrap();
            let weight_decay = case["weight_decay"].as_f64().unwrap();
            let momentum = match case["momentum"].is_null() {
                true => None,
                false => Some(doubles(&case["momentum"])),
            };
            let mut optimizer = Optimizer::new(config, ParameterGroups::new(weight_decay, 2));
            let mut model = tiny_bert(&device).train();
            for step in 0..STEPS {
                let gradients = gradients(&model, step, &device);
                let momentum = momentum.as_ref().map(|momentum| momentum[step as usize]);
                model = optimizer.step(model, gradients, learning_rate(step), momentum, 0.5);
            }
            assert_equal(&model, &mut fixture, case["name"].as_str().unwrap());
        }
    }
}

/// torch's `AveragedModel` beside ten steps of SGD.
#[test]
fn the_average_is_torchs() {
    for device in devices() {
        let mut fixture = Fixture::open("optim/optimizers.safetensors");
        let config = OptimizerConfig::Sgd(SgdConfig::default());
        let mut optimizer = Optimizer::new(config, ParameterGroups::new(0.1, 2));
        let mut model = tiny_bert(&device).train();
        let mut average = Ema::new(0.8).unwrap();
        for step in 0..STEPS {
            let gradients = gradients(&model, step, &device);
            model = optimizer.step(model, gradients, learning_rate(step), None, 0.5);
            average.update(&model);
        }
        assert_equal(&model, &mut fixture, "sgd");
        assert_equal(&average.averaged(model.clone()), &mut fixture, "average");
        assert_equal(
            &average.averaged(model.clone().valid()),
            &mut fixture,
            "average",
        );
        assert_equal(&model, &mut fixture, "sgd");
    }
}
