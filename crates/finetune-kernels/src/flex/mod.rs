//! Bodies for Burn's CPU backend that replace portable ones.
//!
//! They make one pass over memory (the portable ones make up to ten, with a temporary each), write
//! in place where a tensor is not shared, and cut the work into pieces that depend on the shapes
//! alone: sums are the same bits for any number of threads.

mod activation;
mod adafactor;
mod adam;
mod adam_rows;
mod attention;
mod average;
mod dropout;
mod embedding;
mod linear;
mod norm;
mod packed_weight;
mod sgd;

use burn::{
    backend::{Flex, TensorMetadata, tensor::FloatTensor},
    tensor::{DType, Shape, TensorData},
};
use rayon::prelude::*;

use crate::memory::Piece;

pub(crate) use activation::{activate, activation_gradient};
pub(crate) use adafactor::{adafactor_factored_update, adafactor_update};
pub(crate) use adam::adam_step;
pub(crate) use adam_rows::{adam_rows_step, zeros};
pub(crate) use attention::{attention, attention_gradients};
pub(crate) use average::{moving_average, square_sum};
pub(crate) use dropout::dropout;
pub(crate) use embedding::{embedding_gradient, embedding_norm, embedding_norm_with_normal};
pub(crate) use linear::{
    add_product, column_sums, linear, linear_input_gradient, linear_weight_gradient,
    linear_with_sum, product,
};
pub(crate) use norm::{dropout_residual_norm, dropout_residual_norm_with_normal, norm_gradients};
pub(crate) use packed_weight::PackedForm;
pub(crate) use sgd::{sgd_momentum_step, sgd_step};

/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// Whether all are whole, row-major f32: what the bodies here take.
fn are_plain<const N: usize>(tensors: [&FloatTensor<Flex>; N]) -> bool {
    tensors.into_iter().all(|tensor| {
        let whole = tensor.bytes().len() == 4 * tensor.shape().num_elements();
        tensor.dtype() == DType::F32 && tensor.is_contiguous() && whole
    })
}

/// A plain tensor of arbitrary contents, for a body that writes all of them; in memory that is used
/// again.
fn empty(shape: impl Into<Shape>) -> FloatTensor<Flex> {
    let shape = shape.into();
    let len = shape.num_elements();
    let data = TensorData::from_bytes(Piece::new(len).into_bytes(len), shape, DType::F32);
    FloatTensor::<Flex>::from_data(data)
}

/// A plain tensor itself where nobody else holds it, else a copy.
fn owned(tensor: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if tensor.is_unique() {
        return tensor;
    }
    let mut copy = empty(tensor.shape());
    values_mut(&mut copy)
        .par_chunks_mut(CHUNK)
        .zip(values(&tensor).par_chunks(CHUNK))
        .for_each(|(copy, values)| copy.copy_from_slice(values));
    copy
}

/// The values of a plain tensor.
fn values(tensor: &FloatTensor<Flex>) -> &[f32] {
    tensor.storage::<f32>()
}

/// The values of a plain tensor for writing; copied first where the tensor is shared.
fn values_mut(tensor: &mut FloatTensor<Flex>) -> &mut [f32] {
    tensor.storage_mut::<f32>()
}
