//! Steps of stochastic gradient descent.

use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

use super::{CHUNK, are_plain, factor::value_of, values, values_mut};
use crate::{SgdStep, backends::portable, cpu::sgd, ops::Factor};

/// See [`OptimizerOps::sgd_step`](crate::ops::OptimizerOps::sgd_step).
pub(crate) fn sgd_step(
    mut parameter: FloatTensor<Flex>,
    gradient: FloatTensor<Flex>,
    gradient_scale: Factor<Flex>,
    step: SgdStep,
) -> FloatTensor<Flex> {
    if !are_plain([&parameter, &gradient]) {
        return portable::sgd_step::<Flex>(parameter, gradient, gradient_scale, step);
    }
    let (sgd, scale) = (step.into(), value_of(&gradient_scale));
    values_mut(&mut parameter)
        .par_chunks_mut(CHUNK)
        .zip(values(&gradient).par_chunks(CHUNK))
        .for_each(|(parameter, gradient)| sgd::step(sgd, scale, parameter, gradient));
    parameter
}

/// See [`OptimizerOps::sgd_momentum_step`](crate::ops::OptimizerOps::sgd_momentum_step).
pub(crate) fn sgd_momentum_step(
    mut parameter: FloatTensor<Flex>,
    gradient: FloatTensor<Flex>,
    mut buffer: FloatTensor<Flex>,
    gradient_scale: Factor<Flex>,
    step: SgdStep,
) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
    if !are_plain([&parameter, &gradient, &buffer]) {
        return portable::sgd_momentum_step::<Flex>(
            parameter,
            gradient,
            buffer,
            gradient_scale,
            step,
        );
    }
    let (sgd, scale) = (step.into(), value_of(&gradient_scale));
    values_mut(&mut parameter)
        .par_chunks_mut(CHUNK)
        .zip(values(&gradient).par_chunks(CHUNK))
        .zip(values_mut(&mut buffer).par_chunks_mut(CHUNK))
        .for_each(|((parameter, gradient), buffer)| {
            sgd::momentum_step(sgd, scale, parameter, gradient, buffer);
        });
    (parameter, buffer)
}
