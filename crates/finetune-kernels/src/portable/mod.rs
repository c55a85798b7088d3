//! Bodies made of differentiable primitives alone: right on every backend, and the reference that
//! faster bodies are checked against.

mod attention;
mod embedding;
mod linear;
mod loss;
mod norm;
mod optimizer;

pub(crate) use attention::{attention, attention_gradients};
pub(crate) use embedding::{embedding_gradient, embedding_norm};
pub(crate) use linear::{column_sums, linear, lora, product, transposed};
pub(crate) use loss::softmax_cross_entropy;
pub(crate) use norm::{dropout, dropout_residual_norm, layer_norm, norm_gradients};
pub(crate) use optimizer::{
    adafactor_factored_update, adafactor_update, adam_step, moving_average, sgd_momentum_step,
    sgd_step, square_sum, whole_gradient,
};

use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor, tensor::IntTensor},
    tensor::{Shape, TensorData},
};

/// A constant float tensor on the device of `like`, in its precision.
fn constant<B: Backend>(
    values: Vec<f32>,
    shape: impl Into<Shape>,
    like: &FloatTensor<B>,
) -> FloatTensor<B> {
    let data = TensorData::new(values, shape.into()).convert_dtype(like.dtype());
    B::float_from_data(data, &like.device())
}

/// Row numbers as an integer tensor on the device of `like`.
fn indices<B: Backend>(
    rows: impl ExactSizeIterator<Item = u32>,
    like: &FloatTensor<B>,
) -> IntTensor<B> {
    let len = rows.len();
    let rows: Vec<i32> = rows.map(|row| row as i32).collect();
    B::int_from_data(TensorData::new(rows, [len]), &like.device())
}
