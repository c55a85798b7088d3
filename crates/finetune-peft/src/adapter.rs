//! One adapter of one linear layer.

use burn::{
    Tensor,
    module::{Module, Param},
};
use finetune_kernels::{Activation, MatmulOptions, activate, linear};

use crate::lora::Lora;

/// A named adapter.
#[derive(Module, Debug)]
pub struct Adapter {
    /// What it does.
    pub kind: AdapterKind,
    #[module(skip)]
    name: String,
}

impl Adapter {
    /// An adapter called `name`.
    pub fn new(name: impl Into<String>, kind: AdapterKind) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What an adapter does to its layer.
// A model has a handful of these; boxes would buy nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum AdapterKind {
    /// Adds a product of two thin matrices (Hu et al. 2021; Liu et al. 2024 for DoRA).
    Lora(Lora),
    /// Scales inputs or outputs (Liu et al. 2022).
    Ia3(Ia3),
    /// Takes the layer's place: peft's `modules_to_save`.
    Copy(LinearCopy),
}

/// (IA)³: one learned factor per input or output feature.
#[derive(Module, Debug)]
pub struct Ia3 {
    /// `[in]` for a feed-forward module, else `[out]`; ones at the start.
    pub scale: Param<Tensor<1>>,
    #[module(skip)]
    feedforward: bool,
}

impl Ia3 {
    /// `feedforward`: whether inputs are scaled instead of outputs.
    pub fn new(scale: Param<Tensor<1>>, feedforward: bool) -> Self {
        Self { scale, feedforward }
    }

    /// Whether inputs are scaled instead of outputs.
    pub fn is_feedforward(&self) -> bool {
        self.feedforward
    }

    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        weight: Tensor<2>,
        bias: Tensor<1>,
        activation: Activation,
        matmul: MatmulOptions,
    ) -> Tensor<2> {
        let scale = self.scale.val().unsqueeze::<2>();
        match self.feedforward {
            true => linear(x * scale, weight, bias, activation, matmul),
            false => activate(
                linear(x, weight, bias, Activation::Identity, matmul) * scale,
                activation,
            ),
        }
    }
}

/// A trained copy of the layer's own weights.
#[derive(Module, Debug)]
pub struct LinearCopy {
    /// `[in, out]`
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Param<Tensor<1>>,
}
