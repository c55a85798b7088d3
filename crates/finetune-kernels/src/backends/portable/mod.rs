//! Implementations made of Burn's differentiable primitives alone. They work on every backend and are
//! the reference for faster ones.

mod activation;
mod attention;
mod columns;
mod embedding;
mod linear;
mod loss;
mod norm;
mod optimizer;
mod pooling;
mod transfer;
mod upload;
mod vocabulary;

pub(crate) use activation::{activate, activation_gradient};
pub(crate) use attention::{AttentionKept, attention};
pub(crate) use columns::{affine, column_products, column_sums};
pub(crate) use embedding::{dropped_embedding_sum, scatter_rows};
pub(crate) use linear::{linear, lora, lora_keeping, matmul, transposed};
pub(crate) use loss::softmax_cross_entropy;
pub(crate) use norm::{NormKept, dropout, dropout_residual};
pub(crate) use optimizer::{
    adafactor_factored_update, adafactor_update, adam_step, clip_factor, moving_average,
    put_square_sums, sgd_momentum_step, sgd_step, square_sum, whole_gradient,
};
pub(crate) use pooling::{pool, pool_max_gradient, pool_mean_gradient};
pub(crate) use transfer::{attention_transfer, attention_transfer_gradients};
#[cfg(all(test, feature = "cube"))]
pub(in crate::backends) use upload::UPLOADS;
#[cfg(feature = "cube")]
pub(in crate::backends) use upload::{integers, rows as uploaded_rows};
pub(crate) use vocabulary::{scaled, vocabulary_cross_entropy, vocabulary_gradients};
