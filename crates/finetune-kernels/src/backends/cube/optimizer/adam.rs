//! Steps of Adam and AdamW.

use burn::backend::{Cube, tensor::FloatTensor};
use burn_cubecl::cubecl::{self, prelude::*};

use super::{
    super::buffers::{buffer, packed},
    EACH, ELEMENTS, UNITS, count, cubes,
    factor::{FactorArguments, factor_of},
    owned,
};
use crate::{AdamStep, cpu::adam, ops::Factor};

/// The settings that all elements share in a step, as in [`adam::Adam`].
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub(super) struct Adam {
    pub decay: f32,
    coupled_decay: f32,
    beta_1: f32,
    rest_1: f32,
    beta_2: f32,
    rest_2: f32,
    root_scale: f32,
    rate: f32,
    epsilon: f32,
}

/// Returns the argument for a step.
pub(super) fn settings(step: AdamStep) -> AdamLaunch {
    let adam = adam::Adam::from(step);
    AdamLaunch::new(
        adam.decay,
        adam.coupled_decay,
        adam.beta_1,
        adam.rest_1,
        adam.beta_2,
        adam.rest_2,
        adam.root_scale,
        adam.rate,
        adam.epsilon,
    )
}

/// See [`OptimizerOps::adam_step`](crate::ops::OptimizerOps::adam_step).
pub(in super::super) fn adam_step(
    parameter: FloatTensor<Cube>,
    gradient: FloatTensor<Cube>,
    moment_1: FloatTensor<Cube>,
    moment_2: FloatTensor<Cube>,
    gradient_scale: Factor<Cube>,
    step: AdamStep,
) -> (FloatTensor<Cube>, FloatTensor<Cube>, FloatTensor<Cube>) {
    let [parameter, moment_1, moment_2] = [parameter, moment_1, moment_2].map(owned);
    let scale = FactorArguments::new(gradient_scale, &parameter);
    let length = count(&parameter);
    if length > 0 {
        // SAFETY: the kernel's accesses are below the length, which all tensors have.
        unsafe {
            adam_kernel::launch_unchecked(
                &parameter.client,
                cubes(length),
                CubeDim::new_1d(UNITS),
                buffer(&parameter),
                buffer(&packed(gradient)),
                buffer(&moment_1),
                buffer(&moment_2),
                buffer(&scale.tensor),
                scale.value,
                settings(step),
                length,
                scale.on_device,
            );
        }
    }
    (parameter, moment_1, moment_2)
}

#[cube(launch_unchecked)]
fn adam_kernel(
    parameter: &mut [f32],
    gradient: &[f32],
    moment_1: &mut [f32],
    moment_2: &mut [f32],
    scale_tensor: &[f32],
    scale: f32,
    adam: Adam,
    length: usize,
    #[comptime] on_device: bool,
) {
    let scale = factor_of(scale, scale_tensor, on_device);
    let first = CUBE_POS as usize * ELEMENTS + UNIT_POS as usize;
    #[unroll]
    for piece in 0..EACH {
        let element = first + piece * UNITS as usize;
        if element < length {
            let updated = updated(
                &adam,
                parameter[element],
                gradient[element] * scale,
                moment_1[element],
                moment_2[element],
            );
            parameter[element] = updated.0;
            moment_1[element] = updated.1;
            moment_2[element] = updated.2;
        }
    }
}

/// Returns an element and its moments after a step.
#[cube]
pub(super) fn updated(
    adam: &Adam,
    parameter: f32,
    gradient: f32,
    moment_1: f32,
    moment_2: f32,
) -> (f32, f32, f32) {
    let gradient = fma(parameter, adam.coupled_decay, gradient);
    let moment_1 = fma(moment_1, adam.beta_1, gradient * adam.rest_1);
    let moment_2 = fma(moment_2, adam.beta_2, gradient * gradient * adam.rest_2);
    let root = fma(moment_2.sqrt(), adam.root_scale, adam.epsilon);
    let parameter = fma(parameter, adam.decay, -(moment_1 / root * adam.rate));
    (parameter, moment_1, moment_2)
}
