//! Factors that a kernel takes as a number or reads on the device.

use burn::backend::Cube;
use burn_cubecl::{
    cubecl::{self, prelude::*},
    tensor::CubeTensor,
};

use super::super::buffers::{empty, packed};
use crate::ops::Factor;

/// A factor as a kernel's arguments.
pub(super) struct FactorArguments {
    /// The number, if the host knows it.
    pub value: f32,
    /// Its tensor, `[1]`, if only the device knows it; otherwise without meaning.
    pub tensor: CubeTensor,
    /// Whether the tensor has it.
    pub on_device: bool,
}

impl FactorArguments {
    /// Returns the arguments for a factor on the device of `like`.
    pub fn new(factor: Factor<Cube>, like: &CubeTensor) -> Self {
        match factor {
            Factor::Host(value) => Self {
                value: value as f32,
                tensor: empty(like, [1]),
                on_device: false,
            },
            Factor::Device(tensor) => Self {
                value: 0.0,
                tensor: packed(tensor),
                on_device: true,
            },
        }
    }
}

/// Returns the factor in a kernel.
#[cube]
pub(super) fn factor_of(value: f32, tensor: &[f32], #[comptime] on_device: bool) -> f32 {
    let mut factor = value;
    if comptime!(on_device) {
        factor = tensor[0];
    }
    factor
}
