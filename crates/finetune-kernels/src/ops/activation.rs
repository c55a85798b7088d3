//! The activation functions, by the names in `config.json`.

use serde::{Deserialize, Serialize};

/// An element-wise activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Activation {
    /// `x`.
    #[serde(skip)]
    Identity,
    /// `x · Φ(x)` with the exact error function (`gelu`).
    #[serde(rename = "gelu")]
    Gelu,
    /// GELU's tanh approximation (`gelu_new`, `gelu_pytorch_tanh`).
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh")]
    GeluTanh,
    /// `max(x, 0)` (`relu`).
    #[serde(rename = "relu")]
    Relu,
    /// `x · sigmoid(x)` (`silu`, `swish`).
    #[serde(rename = "silu", alias = "swish")]
    Silu,
    /// `tanh(x)` (`tanh`).
    #[serde(rename = "tanh")]
    Tanh,
}

impl Activation {
    /// The names that [`Activation::from_name`] accepts.
    pub const NAMES: [&'static str; 7] = [
        "gelu",
        "gelu_new",
        "gelu_pytorch_tanh",
        "relu",
        "silu",
        "swish",
        "tanh",
    ];

    /// Finds the activation that transformers calls `name`.
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
}
