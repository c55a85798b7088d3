//! Optimizer state: saving, continuing, and rejecting what does not fit.

use burn::{Tensor, module::Module, tensor::Device};
use finetune_models::SequenceClassifier;
use finetune_train::{Ema, ErrorKind, Optimizer, OptimizerConfig, OptimizerState, ParameterGroups};

use super::{STEPS, cases, gradients, tiny_bert, weights};
use crate::fixtures::{devices, values};

fn step(
    optimizer: &mut Optimizer,
    model: SequenceClassifier,
    number: u64,
    device: &Device,
) -> SequenceClassifier {
    let gradients = gradients(&model, number, device);
    optimizer.step(model, gradients, 1e-2, None, 1.0)
}

fn bits(state: &OptimizerState) -> Vec<(String, Vec<f32>)> {
    let tensors = state.tensors.iter();
    tensors
        .map(|(name, tensor)| (name.clone(), values(tensor.clone())))
        .collect()
}

/// A state that is held does not change with later steps, and a run that goes on from it ends with
/// the same bits, weight average included.
#[test]
fn restored_runs_end_with_the_same_bits() {
    let device = &devices()[0];
    for case in cases("optimizers.json") {
        let config: OptimizerConfig = serde_json::from_value(case["config"].clone()).unwrap();
        let new = || Optimizer::new(config, ParameterGroups::new(0.1, 2));
        let (mut optimizer, mut average) = (new(), Ema::new(0.9).unwrap());
        let mut model = tiny_bert(device).train();
        let mut saved = None;
        for number in 0..STEPS {
            model = step(&mut optimizer, model, number, device);
            average.update(&model);
            if number == 5 {
                let state = optimizer.state();
                let (before, weights) = (bits(&state), weights(&model));
                saved = Some((state, before, average.state(), model.clone(), weights));
            }
        }
        let (state, before, averages, mut resumed, weights_before) = saved.unwrap();
        assert_eq!(bits(&state), before);
        assert_eq!(weights(&resumed), weights_before);
        assert_ne!(weights(&model), weights_before);
        let late = state.steps["head.classifier.bias"];
        assert_eq!((late, state.steps["head.classifier.weight"]), (2, 6));

        let (mut optimizer_2, mut average_2) = (new(), Ema::new(0.9).unwrap());
        optimizer_2.restore(&resumed, state).unwrap();
        average_2.restore(&resumed, averages).unwrap();
        for number in 6..STEPS {
            resumed = step(&mut optimizer_2, resumed, number, device);
            average_2.update(&resumed);
        }
        assert_eq!(weights(&resumed), weights(&model));
        assert_eq!(bits(&optimizer_2.state()), bits(&optimizer.state()));
        assert_eq!(
            weights(&average_2.averaged(resumed)),
            weights(&average.averaged(model))
        );
    }
}

/// SGD without momentum holds nothing, and nobody holds anything of what is frozen.
#[test]
fn state_is_kept_where_it_is_needed_only() {
    let device = &devices()[0];
    let names = |text: &str| {
        let config: OptimizerConfig = toml::from_str(text).unwrap();
        let mut optimizer = Optimizer::new(config, ParameterGroups::new(0.0, 2));
        step(&mut optimizer, tiny_bert(device).train(), 0, device);
        let names: Vec<_> = optimizer.state().tensors.into_iter().map(|t| t.0).collect();
        names
    };
    assert_eq!(names("optim = \"sgd\""), [""; 0]);
    assert_eq!(
        names("optim = \"sgd\"\nmomentum = 0.9"),
        [
            "embeddings.token_type.momentum_buffer",
            "head.classifier.weight.momentum_buffer",
            "layers.0.query.weight.momentum_buffer",
            "layers.1.output_norm.gamma.momentum_buffer",
        ]
    );
    assert_eq!(names("optim = \"adamw\"").len(), 8);
    let adafactor = names("optim = \"adafactor\"");
    assert!(adafactor.contains(&"head.classifier.weight.exp_avg_sq_col".into()));
    assert!(adafactor.contains(&"layers.1.output_norm.gamma.exp_avg_sq".into()));
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let device = &devices()[0];
    let new = || Optimizer::new(OptimizerConfig::default(), ParameterGroups::new(0.0, 2));
    let mut optimizer = new();
    let model = step(&mut optimizer, tiny_bert(device).train(), 0, device);
    let name = "head.classifier.weight.exp_avg_sq";
    let damage = |change: &dyn Fn(&mut OptimizerState)| {
        let mut state = optimizer.state();
        change(&mut state);
        let error = new().restore(&model, state).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        error.to_string()
    };
    let error = damage(&|state| state.tensors.retain(|(other, _)| other != name));
    assert!(error.contains(&format!("there is no {name}")), "{error}");
    let error = damage(&|state| {
        let (_, tensor) = state.tensors.iter_mut().find(|t| t.0 == name).unwrap();
        *tensor = Tensor::zeros([7], device);
    });
    assert!(error.contains("7 elements; expected 96"), "{error}");
    let error = damage(&|state| {
        let tensor = Tensor::zeros([7], device);
        state.tensors.push(("head.other.exp_avg".into(), tensor));
    });
    assert!(error.contains("no head.other.exp_avg"), "{error}");
    let error = damage(&|state| state.steps.extend([("head.other".into(), 3)]));
    assert!(error.contains("no head.other"), "{error}");
    // Another optimizer's.
    let sgd = toml::from_str("optim = \"sgd\"").unwrap();
    let error = Optimizer::new(sgd, ParameterGroups::new(0.0, 2))
        .restore(&model, optimizer.state())
        .unwrap_err()
        .to_string();
    assert!(error.contains("exp_avg"), "{error}");

    let mut average = Ema::new(0.9).unwrap();
    average.update(&model);
    let mut state = average.state();
    state.tensors[0].0 = "other".into();
    let error = average.restore(&model, state).unwrap_err().to_string();
    assert!(error.contains("weight average"), "{error}");
    Ema::new(1.0).unwrap_err();
}
