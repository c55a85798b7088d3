//! Burn's older CPU backend, with the portable implementations throughout.
#![allow(deprecated)] // Burn prefers flex, as we do; ndarray stays as the second CPU backend.

use burn::backend::NdArray;

use super::portable;
use crate::ops::{EncoderGradients, EncoderOps, OptimizerOps};

impl EncoderOps for NdArray {}

impl EncoderGradients for NdArray {
    type NormKept = portable::NormKept<Self>;
    type AttentionKept = portable::AttentionKept<Self>;
}

impl OptimizerOps for NdArray {}
