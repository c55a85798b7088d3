//! Burn's GPU backend, with the portable implementations throughout. Kernels of our own belong here.

use burn::backend::Cuda;

use super::portable;
use crate::ops::{EncoderGradients, EncoderOps, OptimizerOps};

impl EncoderOps for Cuda {}

impl EncoderGradients for Cuda {
    type NormKept = portable::NormKept<Self>;
    type AttentionKept = portable::AttentionKept<Self>;
}

impl OptimizerOps for Cuda {}
