//! Schedules, optimizers, averages, losses and whole runs equal those of torch and transformers
//! (`make_optim.py`).

mod contrastive;
mod losses;
mod optimizers;
mod schedules;
mod state;
mod trajectories;

use std::collections::BTreeMap;

use burn::{
    Tensor,
    tensor::{Device, TensorData},
};
use finetune_models::{Parameter, SavedModel, SequenceClassifier};
use finetune_train::ParameterGradients;
use serde_json::Value;

use crate::fixtures::{path, values};

fn cases(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path("optim").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn doubles(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

fn tiny_bert(device: &Device) -> SequenceClassifier {
    SequenceClassifier::load(&path("tiny_bert"), None, 0, device)
        .unwrap()
        .0
}

/// The parameters that have made-up gradients, as `make_optim.py` names them; the last one is
/// unfrozen late.
const NAMES: [&str; 5] = [
    "bert.encoder.layer.0.attention.self.query.weight",
    "bert.embeddings.token_type_embeddings.weight",
    "bert.encoder.layer.1.output.LayerNorm.weight",
    "classifier.weight",
    "classifier.bias",
];
const FIRST_STEP_OF_LATE: u64 = 4;
const STEPS: u64 = 10;

/// The numbers of `gradient` in `make_optim.py`, in the file's layout.
fn made_up(count: usize, parameter: u64, step: u64) -> Vec<f32> {
    let value = |index: u64| {
        let mixed = index
            .wrapping_mul(2_654_435_761)
            .wrapping_add(step * 40_503 + parameter * 97)
            % (1 << 32);
        let value = (mixed >> 16) as f64 - 32_768.0;
        (value / 32_768.0 * 0.125f64.powi((index % 4) as i32)) as f32
    };
    (0..count as u64).map(value).collect()
}

/// From the file's layout to the module's.
fn to_module_layout(parameter: &Parameter, values: Vec<f32>) -> Vec<f32> {
    match parameter.shape.as_slice() {
        &[rows, columns] if parameter.is_transposed() => {
            let at = |index: usize| values[index % rows * columns + index / rows];
            (0..values.len()).map(at).collect()
        }
        _ => values,
    }
}

/// The gradients of a step.
fn gradients(model: &SequenceClassifier, step: u64, device: &Device) -> ParameterGradients {
    let named = model.named_tensors();
    let gradients = (0..).zip(NAMES).filter_map(|(number, name)| {
        if number as usize == NAMES.len() - 1 && step < FIRST_STEP_OF_LATE {
            return None;
        }
        let (parameter, _) = named.iter().find(|(p, _)| p.name == name).unwrap();
        let values = made_up(parameter.num_elements(), number, step);
        let values = to_module_layout(parameter, values);
        let length = values.len();
        let tensor = Tensor::from_data(TensorData::new(values, [length]), device);
        Some((parameter.path.clone(), tensor))
    });
    ParameterGradients::new(gradients.collect())
}

/// The values of each parameter, by name, in the module's layout.
fn weights(model: &SequenceClassifier) -> BTreeMap<String, Vec<f32>> {
    let named = model.named_tensors().into_iter();
    named.map(|(p, tensor)| (p.name, values(tensor))).collect()
}
