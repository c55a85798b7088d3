#![doc = include_str!("../README.md")]

mod activation;
mod autodiff;
mod cpu;
mod dropout;
#[cfg(feature = "flex")]
mod flex;
mod functional;
mod gradients;
mod losses;
mod ops;
mod optimizer;
mod packed;
mod portable;
mod precision;
pub mod random;

pub use activation::Activation;
pub use dropout::{Dropout, DropoutSource};
pub use functional::{
    EmbeddingTables, Norm, activate, attention, dropout, dropout_residual_norm, embedding_norm,
    linear, softmax_cross_entropy,
};
pub use gradients::{EncoderGradients, NormGradients, Normal};
pub use losses::{binary_cross_entropy_with_logits, mean_squared_error, soft_cross_entropy};
pub use ops::{EncoderOps, TokenTypeTable};
pub use optimizer::{
    AdafactorStep, AdamStep, OptimizerOps, SgdStep, adafactor_factored_update, adafactor_update,
    adam_step, moving_average, sgd_momentum_step, sgd_step, square_sum,
};
pub use packed::{AttentionShape, Offsets, PackedTokens};
pub use precision::Precision;
