use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

use super::{CHUNK, are_plain, values, values_mut};
use crate::{AdamStep, portable};

/// See [`OptimizerOps::adam_step`](crate::OptimizerOps::adam_step).
pub(crate) fn adam_step(
    mut parameter: FloatTensor<Flex>,
    gradient: FloatTensor<Flex>,
    mut moment_1: FloatTensor<Flex>,
    mut moment_2: FloatTensor<Flex>,
    step: AdamStep,
) -> (FloatTensor<Flex>, FloatTensor<Flex>, FloatTensor<Flex>) {
    if !are_plain([&parameter, &gradient, &moment_1, &moment_2]) {
        return portable::adam_step::<Flex>(parameter, gradient, moment_1, moment_2, step);
    }
    let scale = step.gradient_scale as f32;
    let (decay, coupled) = (step.decay_factor() as f32, step.coupled_decay() as f32);
    let (beta_1, beta_2) = (step.beta_1 as f32, step.beta_2 as f32);
    let (rest_1, rest_2) = ((1.0 - step.beta_1) as f32, (1.0 - step.beta_2) as f32);
    let root_scale = step.bias_correction_2().sqrt().recip() as f32;
    let rate = (step.learning_rate / step.bias_correction_1()) as f32;
    let epsilon = step.epsilon as f32;

    values_mut(&mut parameter)
        .par_chunks_mut(CHUNK)
        .zip(values(&gradient).par_chunks(CHUNK))
        .zip(values_mut(&mut moment_1).par_chunks_mut(CHUNK))
        .zip(values_mut(&mut moment_2).par_chunks_mut(CHUNK))
        .for_each(|(((parameter, gradient), moment_1), moment_2)| {
            let moments = moment_1.iter_mut().zip(moment_2);
            for ((p, &g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
                let g = g * scale + *p * coupled;
                *m = *m * beta_1 + g * rest_1;
                *v = *v * beta_2 + g * g * rest_2;
                *p = *p * decay - *m / (v.sqrt() * root_scale + epsilon) * rate;
            }
        });
    (parameter, moment_1, moment_2)
}
