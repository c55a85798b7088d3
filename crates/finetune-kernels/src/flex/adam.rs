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
    let factors = AdamFactors::new(step);
    values_mut(&mut parameter)
        .par_chunks_mut(CHUNK)
        .zip(values(&gradient).par_chunks(CHUNK))
        .zip(values_mut(&mut moment_1).par_chunks_mut(CHUNK))
        .zip(values_mut(&mut moment_2).par_chunks_mut(CHUNK))
        .for_each(|(((parameter, gradient), moment_1), moment_2)| {
            factors.update(parameter, gradient, moment_1, moment_2);
        });
    (parameter, moment_1, moment_2)
}

/// The numbers of a step, as every element uses them.
#[derive(Clone, Copy)]
pub(super) struct AdamFactors {
    scale: f32,
    decay: f32,
    coupled: f32,
    betas: [f32; 2],
    rests: [f32; 2],
    root_scale: f32,
    rate: f32,
    epsilon: f32,
}

impl AdamFactors {
    pub(super) fn new(step: AdamStep) -> Self {
        Self {
            scale: step.gradient_scale as f32,
            decay: step.decay_factor() as f32,
            coupled: step.coupled_decay() as f32,
            betas: [step.beta_1 as f32, step.beta_2 as f32],
            rests: [(1.0 - step.beta_1) as f32, (1.0 - step.beta_2) as f32],
            root_scale: step.bias_correction_2().sqrt().recip() as f32,
            rate: (step.learning_rate / step.bias_correction_1()) as f32,
            epsilon: step.epsilon as f32,
        }
    }

    /// Some elements of each.
    pub(super) fn update(
        &self,
        parameter: &mut [f32],
        gradient: &[f32],
        moment_1: &mut [f32],
        moment_2: &mut [f32],
    ) {
        let moments = moment_1.iter_mut().zip(moment_2);
        for ((p, &g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
            let g = g * self.scale + *p * self.coupled;
            *m = *m * self.betas[0] + g * self.rests[0];
            *v = *v * self.betas[1] + g * g * self.rests[1];
            *p = *p * self.decay - *m / (v.sqrt() * self.root_scale + self.epsilon) * self.rate;
        }
    }

    /// [`update`](Self::update) of elements that have neither gradient nor moments, nor a decay that
    /// is part of the gradient.
    pub(super) fn decay(&self, parameter: &mut [f32]) {
        if self.decay != 1.0 {
            parameter.iter_mut().for_each(|p| *p *= self.decay);
        }
    }
}
