//! Activation functions and their derivatives, on one thread.

use std::f32::consts::FRAC_1_SQRT_2;

use super::{
    math::{erf, exp, mul_add, sigmoid, tanh},
    multiversion::multiversion,
};
use crate::Activation;

multiversion! {
    /// Applies the function to each value in place.
    pub(crate) fn apply(activation: Activation, values: &mut [f32]) {
        macro_rules! each {
            ($function:ident) => {
                values.iter_mut().for_each(|x| *x = $function::<FMA>(*x))
            };
        }
        match activation {
            Activation::Identity => {}
            Activation::Gelu => each!(gelu),
            Activation::GeluTanh => each!(gelu_tanh),
            Activation::Relu => each!(relu),
            Activation::Silu => each!(silu),
            Activation::Tanh => each!(tanh),
        }
    }
}

multiversion! {
    /// Applies the function to each value of `source` and writes the results to `target`, which has the
    /// same length.
    pub(crate) fn apply_to(activation: Activation, source: &[f32], target: &mut [f32]) {
        macro_rules! each {
            ($function:ident) => {
                for (target, x) in target.iter_mut().zip(source) {
                    *target = $function::<FMA>(*x);
                }
            };
        }
        match activation {
            Activation::Identity => target.copy_from_slice(source),
            Activation::Gelu => each!(gelu),
            Activation::GeluTanh => each!(gelu_tanh),
            Activation::Relu => each!(relu),
            Activation::Silu => each!(silu),
            Activation::Tanh => each!(tanh),
        }
    }
}

multiversion! {
    /// Multiplies `grad` by the function's derivative at `x`, the function's input.
    pub(crate) fn multiply_by_derivative(activation: Activation, x: &[f32], grad: &mut [f32]) {
        macro_rules! each {
            ($derivative:ident) => {
                for (grad, x) in grad.iter_mut().zip(x) {
                    *grad *= $derivative::<FMA>(*x);
                }
            };
        }
        match activation {
            Activation::Identity => {}
            Activation::Gelu => each!(gelu_derivative),
            Activation::GeluTanh => each!(gelu_tanh_derivative),
            Activation::Relu => each!(relu_derivative),
            Activation::Silu => each!(silu_derivative),
            Activation::Tanh => each!(tanh_derivative),
        }
    }
}

/// The constants of GELU's tanh approximation: `√(2 / π)` and the factor of `x³`.
const TANH_SCALE: f32 = 0.797_884_6;
const TANH_CUBIC: f32 = 0.044_715;
/// `1 / √(2π)`.
const NORMAL_DENSITY: f32 = 0.398_942_3;

/// Computes the cumulative distribution function of the normal distribution.
#[inline(always)]
fn cumulative<const FMA: bool>(x: f32) -> f32 {
    mul_add::<FMA>(0.5, erf::<FMA>(x * FRAC_1_SQRT_2), 0.5)
}

#[inline(always)]
fn gelu<const FMA: bool>(x: f32) -> f32 {
    x * cumulative::<FMA>(x)
}

#[inline(always)]
fn gelu_derivative<const FMA: bool>(x: f32) -> f32 {
    let density = exp::<FMA>(-0.5 * x * x) * NORMAL_DENSITY;
    mul_add::<FMA>(x, density, cumulative::<FMA>(x))
}

/// Computes the tanh approximation of the cumulative distribution function: `(1 + tanh(y)) / 2`, which
/// equals `sigmoid(2 · y)`.
#[inline(always)]
fn near_cumulative<const FMA: bool>(x: f32) -> f32 {
    sigmoid::<FMA>(logit::<FMA>(x))
}

/// Computes `2 · y`.
#[inline(always)]
fn logit<const FMA: bool>(x: f32) -> f32 {
    2.0 * TANH_SCALE * x * mul_add::<FMA>(TANH_CUBIC * x, x, 1.0)
}

#[inline(always)]
fn gelu_tanh<const FMA: bool>(x: f32) -> f32 {
    x * near_cumulative::<FMA>(x)
}

#[inline(always)]
fn gelu_tanh_derivative<const FMA: bool>(x: f32) -> f32 {
    let cumulative = near_cumulative::<FMA>(x);
    // Computing this from `cumulative` would lose digits where that is close to 1.
    let small = exp::<FMA>(-logit::<FMA>(x).abs());
    let product = small / ((1.0 + small) * (1.0 + small));
    let slope = 2.0 * TANH_SCALE * mul_add::<FMA>(3.0 * TANH_CUBIC * x, x, 1.0);
    mul_add::<FMA>(x * slope, product, cumulative)
}

/// Computes `max(x, 0)`, but not with `max`, which would hide a NaN.
#[inline(always)]
fn relu<const FMA: bool>(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

#[inline(always)]
fn relu_derivative<const FMA: bool>(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { 1.0 }
}

#[inline(always)]
fn silu<const FMA: bool>(x: f32) -> f32 {
    x * sigmoid::<FMA>(x)
}

#[inline(always)]
fn silu_derivative<const FMA: bool>(x: f32) -> f32 {
    let sigmoid = sigmoid::<FMA>(x);
    sigmoid * mul_add::<FMA>(x, 1.0 - sigmoid, 1.0)
}

#[inline(always)]
fn tanh_derivative<const FMA: bool>(x: f32) -> f32 {
    let tanh = tanh::<FMA>(x);
    mul_add::<FMA>(-tanh, tanh, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computes the function and its derivative in f64.
    fn exact(activation: Activation, x: f64) -> (f64, f64) {
        let cumulative = 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
        let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let scale = (2.0 / std::f64::consts::PI).sqrt();
        let inner = (scale * (x + 0.044715 * x.powi(3))).tanh();
        let slope = scale * (1.0 + 3.0 * 0.044715 * x * x);
        let sigmoid = 1.0 / (1.0 + (-x).exp());
        match activation {
            Activation::Identity => (x, 1.0),
            Activation::Gelu => (x * cumulative, cumulative + x * density),
            Activation::GeluTanh => (
                0.5 * x * (1.0 + inner),
                0.5 * (1.0 + inner) + 0.5 * x * (1.0 - inner * inner) * slope,
            ),
            Activation::Relu => (x.max(0.0), if x > 0.0 { 1.0 } else { 0.0 }),
            Activation::Silu => (x * sigmoid, sigmoid * (1.0 + x * (1.0 - sigmoid))),
            Activation::Tanh => (x.tanh(), 1.0 - x.tanh().powi(2)),
        }
    }

    const ALL: [Activation; 6] = [
        Activation::Identity,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Silu,
        Activation::Tanh,
    ];

    #[test]
    fn values_and_derivatives_on_a_dense_grid() {
        // The length is not a multiple of any vector's length.
        let x: Vec<f32> = (-100_003..=100_000).map(|i| i as f32 * 1.2e-4).collect();
        for activation in ALL {
            let mut values = vec![f32::NAN; x.len()];
            apply_to(activation, &x, &mut values);
            let mut in_place = x.clone();
            apply(activation, &mut in_place);
            assert_eq!(in_place, values);
            let mut derivatives = vec![2.0; x.len()];
            multiply_by_derivative(activation, &x, &mut derivatives);
            for ((x, value), derivative) in x.iter().zip(values).zip(derivatives) {
                let (expected, slope) = exact(activation, f64::from(*x));
                let error = (f64::from(value) - expected).abs();
                assert!(error < 3e-6, "{activation:?}({x}) is {value}");
                let error = (0.5 * f64::from(derivative) - slope).abs();
                assert!(error < 4e-6, "{activation:?}'({x}) is {derivative} / 2");
            }
        }
    }

    #[test]
    fn a_value_that_is_no_number_stays_one() {
        for activation in ALL {
            let mut values = vec![f32::NAN; 33];
            apply(activation, &mut values);
            assert!(values.iter().all(|value| value.is_nan()), "{activation:?}");
        }
    }
}
