//! Steps of Adam and AdamW.

use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

use super::{CHUNK, are_plain, values, values_mut};
use crate::{AdamStep, backends::portable, cpu::adam};

/// See [`OptimizerOps::adam_step`](crate::ops::OptimizerOps::adam_step).
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
    let adam = step.into();
    values_mut(&mut parameter)
        .par_chunks_mut(CHUNK)
        .zip(values(&gradient).par_chunks(CHUNK))
        .zip(values_mut(&mut moment_1).par_chunks_mut(CHUNK))
        .zip(values_mut(&mut moment_2).par_chunks_mut(CHUNK))
        .for_each(|(((parameter, gradient), moment_1), moment_2)| {
            adam::step(adam, parameter, gradient, moment_1, moment_2);
        });
    (parameter, moment_1, moment_2)
}
