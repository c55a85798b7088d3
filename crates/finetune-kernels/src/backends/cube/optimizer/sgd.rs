//! Steps of stochastic gradient descent.

use burn::backend::{Cube, tensor::FloatTensor};
use burn_cubecl::cubecl::{self, prelude::*};

use super::{
    super::buffers::{buffer, packed},
    EACH, ELEMENTS, UNITS, count, cubes,
    factor::{FactorArguments, factor_of},
    owned,
};
use crate::{SgdStep, cpu::sgd, ops::Factor};

/// The settings that all elements share in a step, as in [`sgd::Sgd`].
#[derive(CubeLaunch, CubeType, Clone, Copy)]
struct Sgd {
    rate: f32,
    decay: f32,
    momentum: f32,
}

/// Returns the argument for a step.
fn settings(sgd: sgd::Sgd) -> SgdLaunch {
    SgdLaunch::new(sgd.rate, sgd.decay, sgd.momentum)
}

/// See [`OptimizerOps::sgd_step`](crate::ops::OptimizerOps::sgd_step).
pub(in super::super) fn sgd_step(
    parameter: FloatTensor<Cube>,
    gradient: FloatTensor<Cube>,
    gradient_scale: Factor<Cube>,
    step: SgdStep,
) -> FloatTensor<Cube> {
    let parameter = owned(parameter);
    let scale = FactorArguments::new(gradient_scale, &parameter);
    let length = count(&parameter);
    if length > 0 {
        // SAFETY: the kernel's accesses are below the length, which both tensors have.
        unsafe {
            sgd_kernel::launch_unchecked(
                &parameter.client,
                cubes(length),
                CubeDim::new_1d(UNITS),
                buffer(&parameter),
                buffer(&packed(gradient)),
                buffer(&scale.tensor),
                scale.value,
                settings(step.into()),
                length,
                scale.on_device,
            );
        }
    }
    parameter
}

/// See [`OptimizerOps::sgd_momentum_step`](crate::ops::OptimizerOps::sgd_momentum_step).
pub(in super::super) fn sgd_momentum_step(
    parameter: FloatTensor<Cube>,
    gradient: FloatTensor<Cube>,
    momentum: FloatTensor<Cube>,
    gradient_scale: Factor<Cube>,
    step: SgdStep,
) -> (FloatTensor<Cube>, FloatTensor<Cube>) {
    let [parameter, momentum] = [parameter, momentum].map(owned);
    let scale = FactorArguments::new(gradient_scale, &parameter);
    let length = count(&parameter);
    if length > 0 {
        // SAFETY: the kernel's accesses are below the length, which all tensors have.
        unsafe {
            momentum_kernel::launch_unchecked(
                &parameter.client,
                cubes(length),
                CubeDim::new_1d(UNITS),
                buffer(&parameter),
                buffer(&packed(gradient)),
                buffer(&momentum),
                buffer(&scale.tensor),
                scale.value,
                settings(step.into()),
                length,
                scale.on_device,
                step.nesterov,
            );
        }
    }
    (parameter, momentum)
}

#[cube(launch_unchecked)]
fn sgd_kernel(
    parameter: &mut [f32],
    gradient: &[f32],
    scale_tensor: &[f32],
    scale: f32,
    sgd: Sgd,
    length: usize,
    #[comptime] on_device: bool,
) {
    let scale = factor_of(scale, scale_tensor, on_device);
    let first = CUBE_POS as usize * ELEMENTS + UNIT_POS as usize;
    #[unroll]
    for piece in 0..EACH {
        let element = first + piece * UNITS as usize;
        if element < length {
            let old = parameter[element];
            let gradient = fma(old, sgd.decay, gradient[element] * scale);
            parameter[element] = fma(gradient, -sgd.rate, old);
        }
    }
}

#[cube(launch_unchecked)]
fn momentum_kernel(
    parameter: &mut [f32],
    gradient: &[f32],
    momentum: &mut [f32],
    scale_tensor: &[f32],
    scale: f32,
    sgd: Sgd,
    length: usize,
    #[comptime] on_device: bool,
    #[comptime] nesterov: bool,
) {
    let scale = factor_of(scale, scale_tensor, on_device);
    let first = CUBE_POS as usize * ELEMENTS + UNIT_POS as usize;
    #[unroll]
    for piece in 0..EACH {
        let element = first + piece * UNITS as usize;
        if element < length {
            let old = parameter[element];
            let gradient = fma(old, sgd.decay, gradient[element] * scale);
            let moved = fma(momentum[element], sgd.momentum, gradient);
            momentum[element] = moved;
            let mut update = moved;
            if comptime!(nesterov) {
                update = fma(moved, sgd.momentum, gradient);
            }
            parameter[element] = fma(update, -sgd.rate, old);
        }
    }
}
