#![doc = include_str!("../README.md")]
// The one crate of the workspace with unsafe code: processor instructions, tiles that threads write
// side by side, and memory for tensors.
#![allow(unsafe_code)]
#![warn(clippy::undocumented_unsafe_blocks)]

mod activation;
mod autodiff;
mod cpu;
mod dropout;
#[cfg(feature = "flex")]
mod flex;
mod functional;
mod gradients;
mod lora;
mod losses;
#[cfg(feature = "flex")]
mod matmul;
#[cfg(feature = "flex")]
mod memory;
mod ops;
mod optimizer;
mod packed;
mod portable;
mod precision;
mod processor;
mod products;
pub mod random;

pub use activation::Activation;
pub use dropout::{Dropout, DropoutSource};
pub use functional::{
    EmbeddingTables, Norm, activate, attention, dropout, dropout_residual_norm, embedding_norm,
    linear, lora, softmax_cross_entropy,
};
pub use gradients::{EncoderGradients, NormGradients, Normal};
pub use lora::LoraProducts;
pub use losses::{binary_cross_entropy_with_logits, mean_squared_error, soft_cross_entropy};
#[cfg(feature = "flex")]
pub use memory::release_unused_memory;
pub use ops::{EncoderOps, TokenTypeTable};
pub use optimizer::{
    AdafactorStep, AdamStep, OptimizerOps, SgdStep, TableRows, adafactor_factored_update,
    adafactor_update, adam_rows_step, adam_step, moving_average, scatter_rows, sgd_momentum_step,
    sgd_step, square_sum, zeros,
};
pub use packed::{AttentionShape, Offsets, PackedTokens, UsedRows};
pub use precision::Precision;
pub use processor::may_use;
pub use products::{PackedWeight, Products, time_in_products};
