//! Activation functions and their derivatives.

use burn::backend::{Backend, tensor::FloatTensor};

use crate::Activation;

/// See [`EncoderOps::activate`](crate::ops::EncoderOps::activate).
pub(crate) fn activate<B: Backend>(x: FloatTensor<B>, activation: Activation) -> FloatTensor<B> {
    match activation {
        Activation::Identity => x,
        // Not `B::gelu`, whose backward pass is an approximation on some backends.
        Activation::Gelu => {
            let scaled = B::float_mul_scalar(x.clone(), std::f64::consts::FRAC_1_SQRT_2.into());
            let doubled = B::float_add_scalar(B::float_erf(scaled), 1.0.into());
            B::float_mul(B::float_mul_scalar(x, 0.5.into()), doubled)
        }
        Activation::GeluTanh => {
            let cube = B::float_mul(x.clone(), B::float_mul(x.clone(), x.clone()));
            let inner = B::float_add(x.clone(), B::float_mul_scalar(cube, 0.044715.into()));
            let scale = (2.0 / std::f64::consts::PI).sqrt();
            let tanh = B::float_tanh(B::float_mul_scalar(inner, scale.into()));
            let half = B::float_mul_scalar(x, 0.5.into());
            B::float_mul(half, B::float_add_scalar(tanh, 1.0.into()))
        }
        Activation::Relu => B::relu(x),
        Activation::Silu => B::float_mul(x.clone(), B::sigmoid(x)),
        Activation::Tanh => B::float_tanh(x),
    }
}

/// See [`EncoderGradients::activation_gradient`](crate::ops::EncoderGradients::activation_gradient).
pub(crate) fn activation_gradient<B: Backend>(
    x: FloatTensor<B>,
    grad: FloatTensor<B>,
    activation: Activation,
) -> FloatTensor<B> {
    let square = |x: FloatTensor<B>| B::float_mul(x.clone(), x);
    let affine = |x, factor: f64, shift: f64| {
        B::float_add_scalar(B::float_mul_scalar(x, factor.into()), shift.into())
    };
    let derivative = match activation {
        Activation::Identity => return grad,
        // Φ(x) + x · φ(x)
        Activation::Gelu => {
            let scaled = B::float_mul_scalar(x.clone(), std::f64::consts::FRAC_1_SQRT_2.into());
            let cumulative = affine(B::float_erf(scaled), 0.5, 0.5);
            let exponent = B::float_mul_scalar(square(x.clone()), (-0.5).into());
            let density = B::float_mul(x, B::float_exp(exponent));
            let root = (2.0 * std::f64::consts::PI).sqrt();
            B::float_add(cumulative, B::float_div_scalar(density, root.into()))
        }
        Activation::GeluTanh => {
            let scale = (2.0 / std::f64::consts::PI).sqrt();
            let squared = square(x.clone());
            let inner = B::float_mul(x.clone(), affine(squared.clone(), 0.044715, 1.0));
            let tanh = B::float_tanh(B::float_mul_scalar(inner, scale.into()));
            let slope = affine(squared, 3.0 * 0.044715 * scale, scale);
            let falling = affine(square(tanh.clone()), -0.5, 0.5);
            let second = B::float_mul(B::float_mul(x, slope), falling);
            B::float_add(affine(tanh, 0.5, 0.5), second)
        }
        Activation::Relu => return B::relu_backward(x, grad),
        // s + x · s · (1 - s)
        Activation::Silu => {
            let sigmoid = B::sigmoid(x.clone());
            let rest = affine(sigmoid.clone(), -1.0, 1.0);
            let second = B::float_mul(B::float_mul(x, rest), sigmoid.clone());
            B::float_add(sigmoid, second)
        }
        Activation::Tanh => affine(square(B::float_tanh(x)), -1.0, 1.0),
    };
    B::float_mul(grad, derivative)
}
