//! Implementations for Burn's CPU backend that replace the portable ones.
//!
//! They make one pass over memory (the portable ones make up to ten, each with a temporary), write in
//! place where a tensor is not shared, and divide the work in a way that depends on the shapes alone,
//! so that sums are bit-identical for any number of threads. They read a batch's integers in place,
//! without a copy.

mod activation;
mod adafactor;
mod adam;
mod adam_rows;
mod attention;
mod average;
mod columns;
mod dropout;
mod embedding;
mod factor;
mod linear;
mod norm;
mod packed_weight;
mod pooling;
mod sgd;
mod transfer;
mod vocabulary;

use burn::{
    backend::{Flex, TensorMetadata, tensor::FloatTensor},
    tensor::{DType, Shape, TensorData},
};
use rayon::prelude::*;

use crate::{
    Activation, Dropout, Indices, MatmulOptions, Offsets, Precision,
    memory::Piece,
    ops::{
        AdafactorStep, AdamStep, Attention, AttentionTransfer, DropoutResidual,
        DropoutResidualNorm, EmbeddingNorm, EmbeddingSum, EncoderGradients, EncoderOps, Factor,
        LayerNorm, Linear, Lora, OptimizerOps, Pool, PoolMaximum, SgdStep, TableRows,
        VocabularyCrossEntropy,
    },
};

pub(crate) use packed_weight::PackedForms;

use activation::{activate, activation_gradient};
use adafactor::{adafactor_factored_update, adafactor_update};
use adam::adam_step;
use adam_rows::{adam_rows_step, zeros};
use average::{moving_average, square_sum, sum};
use dropout::dropout;
use sgd::{sgd_momentum_step, sgd_step};

impl EncoderOps for Flex {
    fn linear(operation: Linear<Self>) -> FloatTensor<Self> {
        linear::linear(operation)
    }

    fn lora(operation: Lora<Self>) -> FloatTensor<Self> {
        linear::lora(operation)
    }

    fn matmul(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        options: MatmulOptions,
    ) -> FloatTensor<Self> {
        linear::matmul(a, b, options)
    }

    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        activate(x, activation)
    }

    fn attention(operation: Attention<Self>) -> FloatTensor<Self> {
        attention::attention(operation)
    }

    fn dropout_residual_norm(operation: DropoutResidualNorm<Self>) -> FloatTensor<Self> {
        norm::dropout_residual_norm(operation)
    }

    fn dropout_residual(operation: DropoutResidual<Self>) -> FloatTensor<Self> {
        norm::dropout_residual(operation)
    }

    fn norm(operation: LayerNorm<Self>) -> FloatTensor<Self> {
        norm::layer_norm(operation)
    }

    fn embedding_norm(operation: EmbeddingNorm<Self>) -> FloatTensor<Self> {
        embedding::embedding_norm(operation)
    }

    fn embedding_sum(operation: EmbeddingSum<Self>) -> FloatTensor<Self> {
        embedding::embedding_sum(operation)
    }

    fn pool(operation: Pool<Self>) -> FloatTensor<Self> {
        pooling::pool(operation)
    }

    fn affine(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        columns::affine(x, scale, shift)
    }

    fn column_products(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        columns::products(x, y)
    }

    fn scatter_rows(values: FloatTensor<Self>, places: Indices, rows: usize) -> FloatTensor<Self> {
        embedding::scatter_rows(values, &places, rows)
    }

    fn dropout(x: FloatTensor<Self>, dropped: Dropout) -> FloatTensor<Self> {
        dropout(x, dropped)
    }

    fn vocabulary_cross_entropy(operation: VocabularyCrossEntropy<Self>) -> FloatTensor<Self> {
        vocabulary::vocabulary_cross_entropy(operation)
    }

    fn attention_transfer(operation: AttentionTransfer<Self>) -> FloatTensor<Self> {
        transfer::attention_transfer(operation)
    }
}

impl EncoderGradients for Flex {
    type NormKept = norm::NormKept;
    type AttentionKept = attention::AttentionKept;

    fn linear_keeping(operation: Linear<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        linear::linear_keeping(operation)
    }

    fn lora_keeping(operation: Lora<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        linear::lora_keeping(operation)
    }

    fn linear_input_gradient(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: MatmulOptions,
    ) -> FloatTensor<Self> {
        linear::linear_input_gradient(grad, weight, options)
    }

    fn linear_weight_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        linear::linear_weight_gradient(x, grad, precision)
    }

    fn column_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        columns::sums(x)
    }

    fn activation_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        activation_gradient(x, grad, activation)
    }

    fn vocabulary_gradients(
        operation: VocabularyCrossEntropy<Self>,
        wanted: [bool; 3],
    ) -> (FloatTensor<Self>, [Option<FloatTensor<Self>>; 3]) {
        vocabulary::vocabulary_gradients(operation, wanted)
    }

    fn attention_transfer_gradients(
        operation: AttentionTransfer<Self>,
        wanted: [bool; 2],
    ) -> (FloatTensor<Self>, [Option<FloatTensor<Self>>; 2]) {
        transfer::attention_transfer_gradients(operation, wanted)
    }

    fn scaled(x: FloatTensor<Self>, factor: FloatTensor<Self>) -> FloatTensor<Self> {
        vocabulary::scaled(x, factor)
    }

    fn pool_mean_gradient(grad: FloatTensor<Self>, offsets: Offsets) -> FloatTensor<Self> {
        pooling::mean_gradient(grad, &offsets)
    }

    fn pool_max_gradient(
        kept: PoolMaximum<Self>,
        grad: FloatTensor<Self>,
        offsets: Offsets,
    ) -> FloatTensor<Self> {
        pooling::max_gradient(kept, grad, &offsets)
    }
}

impl OptimizerOps for Flex {
    fn adam_rows_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        rows: TableRows,
        gradient_scale: Factor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        adam_rows_step(
            parameter,
            gradient,
            moment_1,
            moment_2,
            &rows,
            gradient_scale,
            step,
        )
    }

    fn zeros(length: usize, _like: FloatTensor<Self>) -> FloatTensor<Self> {
        zeros(length)
    }

    fn adam_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        gradient_scale: Factor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        adam_step(
            parameter,
            gradient,
            moment_1,
            moment_2,
            gradient_scale,
            step,
        )
    }

    fn sgd_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        gradient_scale: Factor<Self>,
        step: SgdStep,
    ) -> FloatTensor<Self> {
        sgd_step(parameter, gradient, gradient_scale, step)
    }

    fn sgd_momentum_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        buffer: FloatTensor<Self>,
        gradient_scale: Factor<Self>,
        step: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        sgd_momentum_step(parameter, gradient, buffer, gradient_scale, step)
    }

    fn adafactor_update(
        gradient: FloatTensor<Self>,
        moment: FloatTensor<Self>,
        gradient_scale: Factor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        adafactor_update(gradient, moment, gradient_scale, step)
    }

    fn adafactor_factored_update(
        gradient: FloatTensor<Self>,
        row_moment: FloatTensor<Self>,
        column_moment: FloatTensor<Self>,
        gradient_scale: Factor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        adafactor_factored_update(gradient, row_moment, column_moment, gradient_scale, step)
    }

    fn moving_average(
        average: FloatTensor<Self>,
        value: FloatTensor<Self>,
        decay: f64,
    ) -> FloatTensor<Self> {
        moving_average(average, value, decay)
    }

    fn sum(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        sum(x, y)
    }

    fn square_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        square_sum(tensor)
    }
}

/// Number of elements that a thread processes at a time.
const CHUNK: usize = 1 << 14;

/// Returns whether all are complete, row-major f32 tensors, as the implementations here require.
fn are_plain<const N: usize>(tensors: [&FloatTensor<Flex>; N]) -> bool {
    tensors.into_iter().all(|tensor| {
        let whole = tensor.bytes().len() == 4 * tensor.shape().num_elements();
        tensor.dtype() == DType::F32 && tensor.is_contiguous() && whole
    })
}

/// Allocates a plain tensor with arbitrary contents in reused memory, all of which must be overwritten.
fn empty(shape: impl Into<Shape>) -> FloatTensor<Flex> {
    let shape = shape.into();
    let len = shape.num_elements();
    let data = TensorData::from_bytes(Piece::new(len).into_bytes(len), shape, DType::F32);
    FloatTensor::<Flex>::from_data(data)
}

/// Returns the plain tensor itself if it has no other owner, otherwise a copy.
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

/// Returns the values of a plain tensor.
fn values(tensor: &FloatTensor<Flex>) -> &[f32] {
    tensor.storage::<f32>()
}

/// Returns the mutable values of a plain tensor. A shared tensor is copied first.
fn values_mut(tensor: &mut FloatTensor<Flex>) -> &mut [f32] {
    tensor.storage_mut::<f32>()
}
