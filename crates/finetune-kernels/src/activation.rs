//! Activation functions, by the names that `config.json` uses.

use burn::{backend::Backend, backend::tensor::FloatTensor};

/// An element-wise activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x`
    Identity,
    /// `x · Φ(x)` with the exact error function (`gelu`).
    Gelu,
    /// GELU's tanh approximation (`gelu_new`, `gelu_pytorch_tanh`).
    GeluTanh,
    /// `max(x, 0)` (`relu`).
    Relu,
    /// `x · sigmoid(x)` (`silu`, `swish`).
    Silu,
    /// `tanh(x)` (`tanh`).
    Tanh,
}

impl Activation {
    /// The names that [`Activation::from_name`] knows.
    pub const NAMES: [&'static str; 7] = [
        "gelu",
        "gelu_new",
        "gelu_pytorch_tanh",
        "relu",
        "silu",
        "swish",
        "tanh",
    ];

    /// The activation that transformers calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "gelu" => Self::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" => Self::GeluTanh,
            "relu" => Self::Relu,
            "silu" | "swish" => Self::Silu,
            "tanh" => Self::Tanh,
            _ => return None,
        })
    }

    /// Applies the function, made of differentiable primitives.
    pub(crate) fn apply<B: Backend>(self, x: FloatTensor<B>) -> FloatTensor<B> {
        match self {
            Self::Identity => x,
            // Not `B::gelu`: its backward pass is an approximation on some backends.
            Self::Gelu => {
                let scaled = B::float_mul_scalar(x.clone(), std::f64::consts::FRAC_1_SQRT_2.into());
                let doubled = B::float_add_scalar(B::float_erf(scaled), 1.0.into());
                B::float_mul(B::float_mul_scalar(x, 0.5.into()), doubled)
            }
            Self::GeluTanh => {
                let cube = B::float_mul(x.clone(), B::float_mul(x.clone(), x.clone()));
                let inner = B::float_add(x.clone(), B::float_mul_scalar(cube, 0.044715.into()));
                let scale = (2.0 / std::f64::consts::PI).sqrt();
                let tanh = B::float_tanh(B::float_mul_scalar(inner, scale.into()));
                let half = B::float_mul_scalar(x, 0.5.into());
                B::float_mul(half, B::float_add_scalar(tanh, 1.0.into()))
            }
            Self::Relu => B::relu(x),
            Self::Silu => B::float_mul(x.clone(), B::sigmoid(x)),
            Self::Tanh => B::float_tanh(x),
        }
    }

    /// `grad` times the function's derivative at `x`.
    pub(crate) fn gradient<B: Backend>(
        self,
        x: FloatTensor<B>,
        grad: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let square = |x: FloatTensor<B>| B::float_mul(x.clone(), x);
        let affine = |x, factor: f64, shift: f64| {
            B::float_add_scalar(B::float_mul_scalar(x, factor.into()), shift.into())
        };
        let derivative = match self {
            Self::Identity => return grad,
            // Φ(x) + x · φ(x)
            Self::Gelu => {
                let scaled = B::float_mul_scalar(x.clone(), std::f64::consts::FRAC_1_SQRT_2.into());
                let cumulative = affine(B::float_erf(scaled), 0.5, 0.5);
                let exponent = B::float_mul_scalar(square(x.clone()), (-0.5).into());
                let density = B::float_mul(x, B::float_exp(exponent));
                let root = (2.0 * std::f64::consts::PI).sqrt();
                B::float_add(cumulative, B::float_div_scalar(density, root.into()))
            }
            Self::GeluTanh => {
                let scale = (2.0 / std::f64::consts::PI).sqrt();
                let squared = square(x.clone());
                let inner = B::float_mul(x.clone(), affine(squared.clone(), 0.044715, 1.0));
                let tanh = B::float_tanh(B::float_mul_scalar(inner, scale.into()));
                let slope = affine(squared, 3.0 * 0.044715 * scale, scale);
                let falling = affine(square(tanh.clone()), -0.5, 0.5);
                let second = B::float_mul(B::float_mul(x, slope), falling);
                B::float_add(affine(tanh, 0.5, 0.5), second)
            }
            Self::Relu => return B::relu_backward(x, grad),
            // s + x · s · (1 - s)
            Self::Silu => {
                let sigmoid = B::sigmoid(x.clone());
                let rest = affine(sigmoid.clone(), -1.0, 1.0);
                let second = B::float_mul(B::float_mul(x, rest), sigmoid.clone());
                B::float_add(sigmoid, second)
            }
            Self::Tanh => affine(square(B::float_tanh(x)), -1.0, 1.0),
        };
        B::float_mul(grad, derivative)
    }
}
