//! Outputs, gradients and training steps equal those of transformers.

use std::{collections::BTreeMap, path::Path};

use burn::{
    Tensor,
    module::Module,
    tensor::{Device, TensorData},
};
use finetune_kernels::{
    Activation, DropoutSource, Precision, binary_cross_entropy_with_logits, linear,
    mean_squared_error, softmax_cross_entropy,
};
use finetune_models::{SavedModel, SequenceClassifier, Task, to_file_layout};
use finetune_train::{
    Optimizer, OptimizerConfig, ParameterGradients, ParameterGroups, Schedule, ScheduleConfig,
    clip_factor,
};

use crate::{
    fixtures::{self, Fixture, devices, largest_difference, relative_norm, values},
    tolerance,
};

fn load(directory: &Path, device: &Device) -> SequenceClassifier {
    let (model, report) = SequenceClassifier::load(directory, None, 0, device).unwrap();
    assert_eq!(report.fresh, [""; 0]);
    assert_eq!(report.unexpected, [""; 0]);
    model
}

fn loss(model: &SequenceClassifier, fixture: &mut Fixture, prefix: &str) -> Tensor<1> {
    let logits = model
        .forward(&fixture.tokens(prefix), DropoutSource::OFF)
        .unwrap();
    let rows = logits.dims()[0] as f64;
    let labels = format!("{prefix}labels");
    match model.config().outputs {
        Task::Classes(_) => softmax_cross_entropy(logits, fixture.integers(&labels).into(), rows),
        Task::MultiLabel(_) => {
            let targets = fixture.floats(&labels);
            let elements = targets.len() as f64;
            binary_cross_entropy_with_logits(logits, &targets, &[], elements)
        }
        Task::Regression(_) => mean_squared_error(logits, &fixture.floats(&labels), rows),
    }
}

/// The models of `families/`.
const FAMILIES: [&str; 5] = [
    "families/roberta",
    "families/xlm_roberta",
    "families/camembert",
    "families/electra",
    "families/electra_narrow",
];

/// Parameters whose gradient is zero in exact arithmetic: key biases, which the softmax cancels.
fn zero_gradients(model: &str) -> Vec<String> {
    let manifest = match model.strip_prefix("families/") {
        None => fixtures::manifest()["models"][model].clone(),
        Some(name) => fixtures::json("families/families.json")["models"][name].clone(),
    };
    let names = manifest["zero_gradient_parameters"].as_array().unwrap();
    let names = names.iter();
    names.map(|name| name.as_str().unwrap().into()).collect()
}

fn check_case(name: &str) {
    let zero_gradients = zero_gradients(name);
    for device in devices() {
        let model = load(&fixtures::path(name), &device);
        let mut case = Fixture::open(&format!("{name}/case.safetensors"));
        let tokens = case.tokens("");
        let hidden = values(model.encoder.encode(&tokens, DropoutSource::OFF).unwrap());
        let difference = largest_difference(&hidden, &case.floats("last_hidden_state"));
        assert!(
            difference < tolerance::LOGITS,
            "{name}: hidden: {difference}"
        );
        let logits = values(model.forward(&tokens, DropoutSource::OFF).unwrap());
        let difference = largest_difference(&logits, &case.floats("logits"));
        assert!(
            difference < tolerance::LOGITS,
            "{name}: logits: {difference}"
        );

        let model = model.train();
        let loss = loss(&model, &mut case, "");
        let difference = largest_difference(&values(loss.clone()), &case.floats("loss"));
        assert!(difference < tolerance::LOGITS, "{name}: loss: {difference}");

        let gradients: BTreeMap<_, _> =
            ParameterGradients::backward(&loss, &model).iter().collect();
        for (parameter, _) in model.named_tensors() {
            let gradient = values(gradients[&parameter.path].clone());
            let gradient = to_file_layout(&parameter, gradient);
            let expected = case.floats(&format!("grad.{}", parameter.name));
            if zero_gradients.contains(&parameter.name) {
                let difference = largest_difference(&gradient, &expected);
                assert!(
                    difference < tolerance::ZERO_GRADIENT,
                    "{}: {difference}",
                    parameter.name
                );
            } else {
                let difference = relative_norm(&gradient, &expected);
                assert!(
                    difference < tolerance::GRADIENT,
                    "{}: {difference}",
                    parameter.name
                );
            }
        }
    }
}

#[test]
fn bert_outputs_and_gradients() {
    check_case("tiny_bert");
}

#[test]
fn distilbert_outputs_and_gradients() {
    check_case("tiny_distilbert");
}

#[test]
fn regression_outputs_and_gradients() {
    check_case("tiny_bert_regression");
}

#[test]
fn outputs_and_gradients_of_the_other_families() {
    for name in FAMILIES {
        check_case(name);
    }
}

/// Ten steps of transformers' Trainer with its AdamW, warm-up, decay and clipping.
fn check_trajectory(name: &str) {
    let zero_gradients = zero_gradients(name);
    for device in devices() {
        let mut model = load(&fixtures::path(name), &device).train();
        let mut fixture = Fixture::open(&format!("{name}/trajectory.safetensors"));
        let (losses, norms, rates) = (
            fixture.floats("losses"),
            fixture.floats("grad_norms"),
            fixture.doubles("learning_rates"),
        );
        let schedule = Schedule::new(&ScheduleConfig::default(), 1e-3, 2, 10).unwrap();
        let mut optimizer =
            Optimizer::new(OptimizerConfig::default(), ParameterGroups::new(0.01, 2));
        for step in 0..10 {
            let loss = loss(&model, &mut fixture, &format!("step{step}."));
            let difference = largest_difference(&values(loss.clone()), &losses[step..step + 1]);
            assert!(
                difference < tolerance::TRAJECTORY_LOSS,
                "step {step}: {difference}"
            );
            let gradients = ParameterGradients::backward(&loss, &model);
            let norm = gradients.global_norm();
            assert!((norm / f64::from(norms[step]) - 1.0).abs() < tolerance::GRADIENT);
            let rate = schedule.at(step as u64);
            assert!((rate - rates[step]).abs() < 1e-15);
            model = optimizer.step(model, gradients, rate, None, clip_factor(norm, 1.0));
        }
        for (parameter, tensor) in model.named_tensors() {
            let found = to_file_layout(&parameter, values(tensor));
            let expected = fixture.floats(&format!("final.{}", parameter.name));
            // Adam divides by the gradient's own size: where that is rounding noise, so is the
            // step, and only its bound, the sum of the learning rates, is meaningful.
            let tolerance = match zero_gradients.contains(&parameter.name) {
                true => rates.iter().sum(),
                false => tolerance::TRAJECTORY_WEIGHT,
            };
            let difference = largest_difference(&found, &expected);
            assert!(difference < tolerance, "{}: {difference}", parameter.name);
        }
    }
}

#[test]
fn bert_trains_as_transformers_does() {
    check_trajectory("tiny_bert");
}

#[test]
fn distilbert_trains_as_transformers_does() {
    check_trajectory("tiny_distilbert");
}

#[test]
fn roberta_trains_as_transformers_does() {
    check_trajectory("families/roberta");
}

#[test]
fn electra_trains_as_transformers_does() {
    check_trajectory("families/electra");
}

#[test]
fn activations_and_their_gradients() {
    for device in devices() {
        let device = device.autodiff();
        let mut fixture = Fixture::open("activations.safetensors");
        let x = fixture.floats("x");
        let rows = x.len();
        for name in [
            "gelu",
            "gelu_new",
            "gelu_pytorch_tanh",
            "relu",
            "silu",
            "tanh",
        ] {
            let x = Tensor::<2>::from_data(TensorData::new(x.clone(), [rows, 1]), &device);
            let x = x.require_grad();
            let (weight, bias) = (Tensor::ones([1, 1], &device), Tensor::zeros([1], &device));
            let activation = Activation::from_name(name).unwrap();
            let y = linear(x.clone(), weight, bias, activation, Precision::F32);
            let difference = largest_difference(&values(y.clone()), &fixture.floats(name));
            assert!(difference < tolerance::ACTIVATION, "{name}: {difference}");
            let gradient = values(x.grad(&y.sum().backward()).unwrap());
            let expected = fixture.floats(&format!("grad.{name}"));
            let difference = largest_difference(&gradient, &expected);
            assert!(
                difference < tolerance::ACTIVATION,
                "grad of {name}: {difference}"
            );
        }
    }
}

/// Weights in half precision and under their old names give the logits that transformers gives.
#[test]
fn other_weight_formats() {
    for (file, logits) in [
        ("tiny_bert_f16", "logits.f16"),
        ("tiny_bert_bf16", "logits.bf16"),
        ("tiny_bert_old_names", "logits"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let copy = |from: &str, to: &str| {
            std::fs::copy(fixtures::path(from), directory.path().join(to)).unwrap();
        };
        copy("tiny_bert/config.json", "config.json");
        copy(&format!("{file}.safetensors"), "model.safetensors");
        let model = load(directory.path(), &devices()[0]);
        let mut case = Fixture::open("tiny_bert/case.safetensors");
        let found = values(model.forward(&case.tokens(""), DropoutSource::OFF).unwrap());
        let difference = largest_difference(&found, &case.floats(logits));
        assert!(difference < tolerance::LOGITS, "{file}: {difference}");
    }
}

/// Saving and loading gives the same bits.
#[test]
fn saved_directory_loads_to_the_same_model() {
    let models = ["tiny_bert", "tiny_distilbert", "tiny_bert_regression"];
    for name in models.into_iter().chain(FAMILIES) {
        let source = fixtures::path(name);
        let model = load(&source, &devices()[0]);
        let parent = tempfile::tempdir().unwrap();
        let saved = parent.path().join("saved");
        model.save(&saved, &source).unwrap();
        let again = load(&saved, &devices()[0]);
        assert_eq!(again.config().outputs, model.config().outputs);
        for ((a, left), (b, right)) in model.named_tensors().into_iter().zip(again.named_tensors())
        {
            assert_eq!(a, b);
            assert_eq!(values(left), values(right), "{}", a.name);
        }
        assert!(saved.join("tokenizer.json").exists());
        let left: Vec<_> = std::fs::read_dir(parent.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "only the saved directory is left");
    }
}
