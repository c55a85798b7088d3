//! Activation functions and their derivatives.

use std::f32::consts::FRAC_1_SQRT_2;

use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

use super::{CHUNK, are_plain, values, values_mut};
use crate::Activation;

/// See [`EncoderOps::activate`](crate::EncoderOps::activate).
pub(crate) fn activate(mut x: FloatTensor<Flex>, activation: Activation) -> FloatTensor<Flex> {
    if activation == Activation::Identity {
        return x;
    }
    if !are_plain([&x]) {
        return activation.apply::<Flex>(x);
    }
    values_mut(&mut x)
        .par_chunks_mut(CHUNK)
        .for_each(|chunk| chunk.iter_mut().for_each(|x| *x = value(activation, *x)));
    x
}

/// See [`EncoderOps::activation_gradient`](crate::EncoderOps::activation_gradient). In place of
/// `grad`.
pub(crate) fn activation_gradient(
    x: FloatTensor<Flex>,
    mut grad: FloatTensor<Flex>,
    activation: Activation,
) -> FloatTensor<Flex> {
    if activation == Activation::Identity {
        return grad;
    }
    if !are_plain([&x, &grad]) {
        return activation.gradient::<Flex>(x, grad);
    }
    values_mut(&mut grad)
        .par_chunks_mut(CHUNK)
        .zip(values(&x).par_chunks(CHUNK))
        .for_each(|(grad, x)| {
            for (grad, &x) in grad.iter_mut().zip(x) {
                *grad *= derivative(activation, x);
            }
        });
    grad
}

/// The function of one number.
pub(crate) fn value(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Identity => x,
        Activation::Gelu => 0.5 * x * (1.0 + libm::erff(x * FRAC_1_SQRT_2)),
        Activation::GeluTanh => {
            0.5 * x * (1.0 + (TANH_SCALE * x * (1.0 + TANH_CUBIC * x * x)).tanh())
        }
        // Not `max`, which would hide a NaN.
        Activation::Relu if x <= 0.0 => 0.0,
        Activation::Relu => x,
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
    }
}

/// The derivative at one number.
fn derivative(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Identity => 1.0,
        Activation::Gelu => {
            let cumulative = 0.5 * (1.0 + libm::erff(x * FRAC_1_SQRT_2));
            cumulative + x * (-0.5 * x * x).exp() * NORMAL_DENSITY
        }
        Activation::GeluTanh => {
            let tanh = (TANH_SCALE * x * (1.0 + TANH_CUBIC * x * x)).tanh();
            let slope = TANH_SCALE * (1.0 + 3.0 * TANH_CUBIC * x * x);
            0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope
        }
        Activation::Relu if x <= 0.0 => 0.0,
        Activation::Relu => 1.0,
        Activation::Silu => {
            let sigmoid = 1.0 / (1.0 + (-x).exp());
            sigmoid * (1.0 + x * (1.0 - sigmoid))
        }
        Activation::Tanh => 1.0 - x.tanh() * x.tanh(),
    }
}

/// `√(2 / π)` and the factor of `x³` in GELU's tanh approximation.
const TANH_SCALE: f32 = 0.797_884_6;
const TANH_CUBIC: f32 = 0.044_715;
/// `1 / √(2π)`
const NORMAL_DENSITY: f32 = 0.398_942_3;
