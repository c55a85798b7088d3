//! Burn's GPU backend: portable bodies throughout, until a kernel of ours replaces one here.

use burn::backend::Cuda;

use super::portable;
use crate::ops::{EncoderGradients, EncoderOps, OptimizerOps};

impl EncoderOps for Cuda {}

impl EncoderGradients for Cuda {
    type NormKept = portable::NormKept<Self>;
    type AttentionKept = portable::AttentionKept<Self>;
}

impl OptimizerOps for Cuda {}
