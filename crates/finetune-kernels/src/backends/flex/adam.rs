//! Steps of Adam and AdamW.

use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

use super::{CHUNK, are_plain, factor::value_of, values, values_mut};
use crate::{AdamStep, backends::portable, cpu::adam, ops::Factor};

/// See [`OptimizerOps::adam_step`](crate::ops::OptimizerOps::adam_step).
pub(crate) fn adam_step(
    mut parameter: FloatTensor<Flex>,
    gradient: FloatTensor<Flex>,
    mut moment_1: FloatTensor<Flex>,
    mut moment_2: FloatTensor<Flex>,
    gradient_scale: Factor<Flex>,
    step: AdamStep,
) -> (FloatTensor<Flex>, FloatTensor<Flex>, FloatTensor<Flex>) {
    if !are_plain([&parameter, &gradient, &moment_1, &moment_2]) {
        return portable::adam_step::<Flex>(
            parameter,
            gradient,
            moment_1,
            moment_2,
            gradient_scale,
            step,
        );
    }
    let (adam, scale) = (step.into(), value_of(&gradient_scale));
    values_mut(&mut parameter)
        .par_chunks_mut(CHUNK)
        .zip(values(&gradient).par_chunks(CHUNK))
        .zip(values_mut(&mut moment_1).par_chunks_mut(CHUNK))
        .zip(values_mut(&mut moment_2).par_chunks_mut(CHUNK))
        .for_each(|(((parameter, gradient), moment_1), moment_2)| {
            adam::step(adam, scale, parameter, gradient, moment_1, moment_2);
        });
    (parameter, moment_1, moment_2)
}
