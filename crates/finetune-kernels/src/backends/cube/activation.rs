//! Activation functions, their derivatives, and both behind the bias of a linear layer.

use burn_cubecl::{
    cubecl::{self, prelude::*},
    tensor::CubeTensor,
};

use super::buffers::{UNITS, buffer, cubes_for, empty, packed};
use crate::Activation;

/// Applies an activation function to each element.
pub(super) fn activate(x: CubeTensor, activation: Activation) -> CubeTensor {
    if activation == Activation::Identity {
        return x;
    }
    let x = packed(x);
    let result = empty(&x, x.meta.shape().clone());
    let count = x.meta.num_elements();
    if count > 0 {
        // SAFETY: the kernel's accesses are within the lengths of the buffers, which are equal.
        unsafe {
            activate_kernel::launch_unchecked(
                &x.client,
                cubes_for(count),
                CubeDim::new_1d(UNITS),
                buffer(&x),
                buffer(&result),
                activation,
            );
        }
    }
    result
}

/// Multiplies `grad` by the activation's derivative at its input `x`.
pub(super) fn activation_gradient(
    x: CubeTensor,
    grad: CubeTensor,
    activation: Activation,
) -> CubeTensor {
    if activation == Activation::Identity {
        return grad;
    }
    let (x, grad) = (packed(x), packed(grad));
    let result = empty(&x, x.meta.shape().clone());
    let count = x.meta.num_elements();
    if count > 0 {
        // SAFETY: the kernel's accesses are within the lengths of the buffers, which are equal.
        unsafe {
            gradient_kernel::launch_unchecked(
                &x.client,
                cubes_for(count),
                CubeDim::new_1d(UNITS),
                buffer(&x),
                buffer(&grad),
                buffer(&result),
                activation,
            );
        }
    }
    result
}

/// Computes `activation(product + bias)` for each row of a product that nothing else holds, `[rows, columns]`,
/// and returns the input of the activation too if it is to be kept.
pub(super) fn bias_activation(
    product: CubeTensor,
    bias: CubeTensor,
    activation: Activation,
    keep: bool,
) -> (CubeTensor, Option<CubeTensor>) {
    let keep = keep && activation != Activation::Identity;
    let columns = bias.meta.num_elements();
    let count = product.meta.num_elements();
    let result = match keep {
        true => empty(&product, product.meta.shape().clone()),
        false => product.clone(),
    };
    if count > 0 {
        // SAFETY: the kernel's accesses are within the lengths of the buffers.
        unsafe {
            bias_kernel::launch_unchecked(
                &product.client,
                cubes_for(count),
                CubeDim::new_1d(UNITS),
                buffer(&product),
                buffer(&packed(bias)),
                buffer(if keep { &result } else { &product }),
                columns,
                activation,
                keep,
            );
        }
    }
    (result, keep.then_some(product))
}

#[cube(launch_unchecked)]
fn activate_kernel(x: &[f32], result: &mut [f32], #[comptime] activation: Activation) {
    if ABSOLUTE_POS < x.len() {
        result[ABSOLUTE_POS] = activated(x[ABSOLUTE_POS], activation);
    }
}

#[cube(launch_unchecked)]
fn gradient_kernel(
    x: &[f32],
    grad: &[f32],
    result: &mut [f32],
    #[comptime] activation: Activation,
) {
    if ABSOLUTE_POS < x.len() {
        result[ABSOLUTE_POS] = grad[ABSOLUTE_POS] * derivative(x[ABSOLUTE_POS], activation);
    }
}

#[cube(launch_unchecked)]
fn bias_kernel(
    sum: &mut [f32],
    bias: &[f32],
    result: &mut [f32],
    #[comptime] columns: usize,
    #[comptime] activation: Activation,
    #[comptime] keep: bool,
) {
    if ABSOLUTE_POS < sum.len() {
        let value = sum[ABSOLUTE_POS] + bias[ABSOLUTE_POS % columns];
        let active = activated(value, activation);
        if comptime!(keep) {
            sum[ABSOLUTE_POS] = value;
            result[ABSOLUTE_POS] = active;
        } else {
            sum[ABSOLUTE_POS] = active;
        }
    }
}

#[cube]
fn activated(x: f32, #[comptime] activation: Activation) -> f32 {
    match comptime!(activation) {
        Activation::Identity => x,
        Activation::Gelu => x * cumulative(x),
        Activation::GeluTanh => x * sigmoid(logit(x)),
        // Not the maximum, which would hide a NaN.
        Activation::Relu => select(x <= 0.0f32, 0.0f32, x),
        Activation::Silu => x * sigmoid(x),
        Activation::Tanh => tanh(x),
    }
}

#[cube]
fn derivative(x: f32, #[comptime] activation: Activation) -> f32 {
    match comptime!(activation) {
        Activation::Identity => 1.0f32,
        Activation::Gelu => cumulative(x) + x * (-0.5f32 * x * x).exp() * 0.398_942_3f32,
        Activation::GeluTanh => {
            // Computing this from the sigmoid would lose digits where that is close to 1.
            let small = (-logit(x).abs()).exp();
            let product = small / ((1.0f32 + small) * (1.0f32 + small));
            let slope = 2.0f32 * 0.797_884_6f32 * (3.0f32 * 0.044_715f32 * x * x + 1.0f32);
            sigmoid(logit(x)) + x * slope * product
        }
        Activation::Relu => select(x <= 0.0f32, 0.0f32, 1.0f32),
        Activation::Silu => {
            let share = sigmoid(x);
            share + x * share * (1.0f32 - share)
        }
        Activation::Tanh => {
            let value = tanh(x);
            1.0f32 - value * value
        }
    }
}

/// The cumulative distribution function of the normal distribution.
#[cube]
fn cumulative(x: f32) -> f32 {
    0.5f32 * erf(x * 0.707_106_77f32) + 0.5f32
}

/// Twice the argument of the hyperbolic tangent in GELU's approximation.
#[cube]
fn logit(x: f32) -> f32 {
    2.0f32 * 0.797_884_6f32 * x * (0.044_715f32 * x * x + 1.0f32)
}

#[cube]
fn sigmoid(x: f32) -> f32 {
    1.0f32 / (1.0f32 + (-x).exp())
}

/// The error function within 6e-7, as in `cpu/math.rs`: devices have approximations of their own.
#[cube]
fn erf(x: f32) -> f32 {
    let near_zero = limited(x, 4.0f32);
    let square = near_zero * near_zero;
    let mut numerator = f32::new(-2.726_142_3e-10);
    numerator = numerator * square + 2.770_681_4e-8f32;
    numerator = numerator * square - 2.101_024e-6f32;
    numerator = numerator * square - 5.692_506_4e-5f32;
    numerator = numerator * square - 7.349_906_3e-4f32;
    numerator = numerator * square - 2.954_6e-3f32;
    numerator = numerator * square - 1.609_603_3e-2f32;
    let mut denominator = f32::new(-1.456_607_2e-5);
    denominator = denominator * square - 2.133_740_5e-4f32;
    denominator = denominator * square - 1.682_827e-3f32;
    denominator = denominator * square - 7.373_329e-3f32;
    denominator = denominator * square - 1.426_474e-2f32;
    let near = near_zero * numerator / denominator;
    // Beyond 4 it must be exactly 1, so that GELU of a large value is that value.
    let above = select(x >= 4.0f32, 1.0f32, near);
    select(x <= -4.0f32, -1.0f32, above)
}

/// The hyperbolic tangent within 4e-7, as in `cpu/math.rs`.
#[cube]
fn tanh(x: f32) -> f32 {
    let near_zero = limited(x, 7.905_311f32);
    let square = near_zero * near_zero;
    let mut numerator = f32::new(-2.760_768_5e-16);
    numerator = numerator * square + 2.000_188e-13f32;
    numerator = numerator * square - 8.604_672e-11f32;
    numerator = numerator * square + 5.122_297e-8f32;
    numerator = numerator * square + 1.485_722_4e-5f32;
    numerator = numerator * square + 6.372_619e-4f32;
    numerator = numerator * square + 4.893_524_6e-3f32;
    let mut denominator = f32::new(1.198_258_4e-6);
    denominator = denominator * square + 1.185_347_1e-4f32;
    denominator = denominator * square + 2.268_434_6e-3f32;
    denominator = denominator * square + 4.893_525e-3f32;
    near_zero * numerator / denominator
}

/// Limits `x` to `-limit..=limit`; NaN stays NaN.
#[cube]
fn limited(x: f32, limit: f32) -> f32 {
    let below = select(x > limit, limit, x);
    select(below < -limit, -limit, below)
}
