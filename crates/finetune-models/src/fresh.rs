//! The values of new parameters.

use std::collections::BTreeMap;

use burn::tensor::Device;
use finetune_kernels::{Stream, random, transpose};

use crate::{
    ModelConfig, ModelError, Parameter, Place, Role, SequenceClassifier, parameters,
    values::{ShapedValues, Values},
};

impl SequenceClassifier {
    /// Creates a model with new weights, which are a function of the configuration and the seed: norms
    /// that change nothing, biases of 0, and all else from a normal distribution whose standard deviation
    /// is the configuration's `initializer_range`, as in transformers.
    ///
    /// # Errors
    /// Fails with [`ModelError::NotDescribed`] if the configuration's family is incomplete.
    pub fn fresh(config: ModelConfig, seed: u64, device: &Device) -> Result<Self, ModelError> {
        let by_path = all_values(parameters(&config), seed, config.initializer_range);
        Self::new(&mut Values { by_path, device }, config)
    }
}

/// Draws the values of all parameters of a model, by their checkpoint keys.
pub(crate) fn all_values(
    parameters: Vec<Parameter>,
    seed: u64,
    initializer_range: f64,
) -> BTreeMap<String, ShapedValues> {
    let drawn = parameters.into_iter().enumerate();
    let drawn = drawn.map(|(number, parameter)| {
        let stream = match parameter.place {
            Place::Embeddings | Place::Layer(_) => Stream::encoder(number),
            Place::HeadDense | Place::Classifier => stream_of_head(parameter.place),
        };
        let values = draw(&parameter, stream, seed, initializer_range);
        let values = model_layout(&parameter, values);
        let shape = parameter.model_shape();
        (parameter.path, (values, shape))
    });
    drawn.collect()
}

/// Draws a parameter of the head, in the layout of files.
pub(crate) fn of_head(parameter: &Parameter, seed: u64, initializer_range: f64) -> Vec<f32> {
    let stream = stream_of_head(parameter.place);
    draw(parameter, stream, seed, initializer_range)
}

fn stream_of_head(place: Place) -> Stream {
    match place {
        Place::Classifier => Stream::CLASSIFIER,
        _ => Stream::HEAD_DENSE,
    }
}

/// Draws a parameter as transformers does, in the layout of files.
fn draw(parameter: &Parameter, stream: Stream, seed: u64, initializer_range: f64) -> Vec<f32> {
    let length = parameter.num_elements();
    match parameter.role {
        Role::NormScale => vec![1.0; length],
        Role::NormShift | Role::Bias => vec![0.0; length],
        _ => random::normal(seed, stream, length, initializer_range),
    }
}

/// Converts values from the layout of files to that of the model.
pub(crate) fn model_layout(parameter: &Parameter, values: Vec<f32>) -> Vec<f32> {
    match parameter.shape[..] {
        [out, input] if parameter.is_transposed() => transpose(&values, out, input),
        _ => values,
    }
}
