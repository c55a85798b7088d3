#![doc = include_str!("../README.md")]

mod activation;
mod dropout;
#[cfg(feature = "flex")]
mod flex;
mod functional;
mod ops;
mod optimizer;
mod packed;
mod portable;
pub mod random;

pub use activation::Activation;
pub use dropout::{Dropout, DropoutSource};
pub use functional::{
    EmbeddingTables, Norm, activate, attention, binary_cross_entropy_with_logits, dropout,
    dropout_residual_norm, embedding_norm, linear, mean_squared_error, softmax_cross_entropy,
};
pub use ops::{EncoderOps, TokenTypeTable};
pub use optimizer::{AdamWStep, OptimizerOps, adamw_step};
pub use packed::{Offsets, PackedTokens};
