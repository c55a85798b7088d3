//! Draws the initial values of adapters.

use burn::{
    Tensor,
    tensor::{Device, TensorData},
};
use finetune_kernels::{Stream, random};

/// Creates a tensor from row-major values.
pub(crate) fn tensor<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Draws `lora_A` as peft does by default: `kaiming_uniform_(a=√5)`, which is uniform in `±1/√in`.
pub(crate) fn kaiming_uniform(
    seed: u64,
    stream: Stream,
    [inputs, rank]: [usize; 2],
    device: &Device,
) -> Tensor<2> {
    let bound = 1.0 / (inputs as f64).sqrt();
    let values = random::uniform(seed, stream, inputs * rank, -bound, bound);
    tensor(values, [inputs, rank], device)
}

/// Draws `lora_A` for `init_lora_weights="gaussian"`: normal with standard deviation `1/r`.
pub(crate) fn gaussian(
    seed: u64,
    stream: Stream,
    [inputs, rank]: [usize; 2],
    device: &Device,
) -> Tensor<2> {
    let values = random::normal(seed, stream, inputs * rank, 1.0 / rank as f64);
    tensor(values, [inputs, rank], device)
}
