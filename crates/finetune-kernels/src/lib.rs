#![doc = include_str!("../README.md")]
//!
//! # Contents
//!
//! - `functional/`: the operations on Burn's tensors that models and optimizers call
//! - `dropout.rs`, [`random`], `row_draws.rs`: stateless random numbers
//! - `host.rs`: values in the host's memory
//! - `losses.rs`: losses composed of Burn's own operations
//! - [`ops`]: the interface to the backends, with a struct of operands per operation
//! - `backends/`: each backend's implementations of the operations
//! - `autodiff/`: the backward passes
//! - `devices/`: what drivers and runtimes say of GPUs
//! - `cpu/`, `matmul/`: the arithmetic of the CPU backend, with `processor.rs` for the instruction sets that
//!   it may use and `memory.rs` for its memory

// This is the only crate of the workspace with unsafe code: processor instructions, tiles that threads
// write concurrently, and memory for tensors.
#![allow(unsafe_code)]
#![warn(clippy::undocumented_unsafe_blocks)]

mod autodiff;
mod backends;
mod cpu;
#[cfg(feature = "cube")]
pub mod devices;
mod dropout;
mod functional;
mod host;
mod losses;
#[cfg(feature = "flex")]
mod matmul;
#[cfg(feature = "flex")]
mod memory;
pub mod ops;
mod processor;
pub mod random;
mod row_draws;

pub use dropout::{Dropout, DropoutSource};
pub use finetune_batch::{Indices, MaskedTokens, Offsets, PackedTokens, UsedRows};
pub use functional::{
    EmbeddingTables, Factor, Norm, activate, adafactor_factored_update, adafactor_update,
    adam_rows_step, adam_step, affine, attention, attention_transfer, clipping, column_products,
    dropout, dropout_residual, dropout_residual_norm, embedding_norm, embedding_sum, layer_norm,
    linear, lora, matmul, moving_average, pool, scatter_rows, sgd_momentum_step, sgd_step,
    softmax_cross_entropy, square_sum, sum, vocabulary_cross_entropy, zeros,
};
pub use host::{transpose, transpose_rows, values_of};
pub use losses::{
    binary_cross_entropy_with_logits, cosine_distance, mean_squared_error, soft_cross_entropy,
};
#[cfg(feature = "flex")]
pub use memory::release_unused_memory;
pub use ops::{
    Activation, AdafactorStep, AdamStep, AttentionShape, LoraOptions, MatmulOptions, Pooling,
    Precision, SgdStep, TableRows, matmul::time_in_matmul,
};
pub use processor::may_use;
pub use random::{Site, Stream};
pub use row_draws::RowDraws;
