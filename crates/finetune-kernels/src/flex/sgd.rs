use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

use super::{CHUNK, are_plain, values, values_mut};
use crate::{SgdStep, portable};

/// See [`OptimizerOps::sgd_step`](crate::OptimizerOps::sgd_step).
pub(crate) fn sgd_step(
    mut parameter: FloatTensor<Flex>,
    gradient: FloatTensor<Flex>,
    step: SgdStep,
) -> FloatTensor<Flex> {
    if !are_plain([&parameter, &gradient]) {
        return portable::sgd_step::<Flex>(parameter, gradient, step);
    }
    let (rate, scale) = (step.learning_rate as f32, step.gradient_scale as f32);
    let decay = step.weight_decay as f32;
    values_mut(&mut parameter)
        .par_chunks_mut(CHUNK)
        .zip(values(&gradient).par_chunks(CHUNK))
        .for_each(|(parameter, gradient)| {
            for (p, &g) in parameter.iter_mut().zip(gradient) {
                *p -= (g * scale + *p * decay) * rate;
            }
        });
    parameter
}

/// See [`OptimizerOps::sgd_momentum_step`](crate::OptimizerOps::sgd_momentum_step).
pub(crate) fn sgd_momentum_step(
    mut parameter: FloatTensor<Flex>,
    gradient: FloatTensor<Flex>,
    mut buffer: FloatTensor<Flex>,
    step: SgdStep,
) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
    if !are_plain([&parameter, &gradient, &buffer]) {
        return portable::sgd_momentum_step::<Flex>(parameter, gradient, buffer, step);
    }
    let (rate, scale) = (step.learning_rate as f32, step.gradient_scale as f32);
    let (decay, momentum) = (step.weight_decay as f32, step.momentum as f32);
    values_mut(&mut parameter)
        .par_chunks_mut(CHUNK)
        .zip(values(&gradient).par_chunks(CHUNK))
        .zip(values_mut(&mut buffer).par_chunks_mut(CHUNK))
        .for_each(|((parameter, gradient), buffer)| {
            for ((p, &g), m) in parameter.iter_mut().zip(gradient).zip(buffer) {
                let g = g * scale + *p * decay;
                *m = *m * momentum + g;
                let update = match step.nesterov {
                    true => g + *m * momentum,
                    false => *m,
                };
                *p -= update * rate;
            }
        });
    (parameter, buffer)
}
