//! GPUs, by CubeCL: one code for CUDA, Vulkan, Metal and DirectX 12. An operation without a kernel here has its
//! portable implementation.
//!
//! - `attention/`: attention over offsets
//! - `buffers.rs`: tensors as the buffers of a kernel, and new ones
//! - `philox.rs`: dropout, with the bits that the CPU draws
//! - `activation.rs`, `columns.rs`, `linear.rs`: linear layers with their activations, and sums of columns
//! - `matmul.rs`, `rounding.rs`: matrix multiplication
//! - `dropout.rs`, `embedding.rs`, `norm.rs`, `pooling.rs`
//! - `upload.rs`: the integers of a batch
//! - `optimizer/`: optimizer steps

mod activation;
mod attention;
mod buffers;
mod columns;
mod dropout;
mod embedding;
mod linear;
mod matmul;
mod norm;
mod optimizer;
mod philox;
mod pooling;
mod reduce;
mod rounding;
#[cfg(all(test, feature = "flex"))]
#[allow(clippy::unwrap_used)]
mod tests;
mod upload;

use burn::backend::{Cube, tensor::FloatTensor};

use crate::{
    AdafactorStep, AdamStep, Dropout, Indices, Offsets, SgdStep, TableRows,
    ops::{
        Activation, Attention, DropoutResidual, DropoutResidualNorm, EmbeddingNorm, EmbeddingSum,
        EncoderGradients, EncoderOps, Factor, LayerNorm, Linear, Lora, MatmulOptions, OptimizerOps,
        Pool, PoolMaximum, Precision,
    },
};

impl EncoderOps for Cube {
    fn linear(operation: Linear<Self>) -> FloatTensor<Self> {
        linear::linear(operation)
    }

    fn lora(operation: Lora<Self>) -> FloatTensor<Self> {
        linear::lora(operation)
    }

    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        activation::activate(x, activation)
    }

    fn matmul(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        options: MatmulOptions,
    ) -> FloatTensor<Self> {
        matmul::matmul(a, b, options.precision)
    }

    fn attention(operation: Attention<Self>) -> FloatTensor<Self> {
        attention::attention(operation)
    }

    fn dropout_residual_norm(operation: DropoutResidualNorm<Self>) -> FloatTensor<Self> {
        norm::dropout_residual_norm(operation)
    }

    fn dropout_residual(operation: DropoutResidual<Self>) -> FloatTensor<Self> {
        dropout::dropout_residual(operation)
    }

    fn embedding_norm(operation: EmbeddingNorm<Self>) -> FloatTensor<Self> {
        norm::embedding_norm(operation)
    }

    fn embedding_sum(operation: EmbeddingSum<Self>) -> FloatTensor<Self> {
        embedding::embedding_sum(operation)
    }

    fn pool(operation: Pool<Self>) -> FloatTensor<Self> {
        pooling::pool(operation)
    }

    fn scatter_rows(values: FloatTensor<Self>, places: Indices, rows: usize) -> FloatTensor<Self> {
        embedding::scatter_rows(values, &places, rows)
    }

    fn dropout(x: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        dropout::dropout(x, dropout)
    }

    fn norm(operation: LayerNorm<Self>) -> FloatTensor<Self> {
        norm::layer_norm(operation)
    }
}

impl EncoderGradients for Cube {
    type NormKept = norm::NormKept;
    type AttentionKept = attention::AttentionKept;

    fn linear_keeping(operation: Linear<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        linear::linear_keeping(operation)
    }

    fn activation_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        activation::activation_gradient(x, grad, activation)
    }

    fn column_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        columns::column_sums(x)
    }

    fn linear_input_gradient(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: MatmulOptions,
    ) -> FloatTensor<Self> {
        matmul::matmul(grad, matmul::transposed(weight), options.precision)
    }

    fn linear_weight_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        matmul::matmul(matmul::transposed(x), grad, precision)
    }

    fn pool_mean_gradient(grad: FloatTensor<Self>, offsets: Offsets) -> FloatTensor<Self> {
        pooling::pool_mean_gradient(grad, &offsets)
    }

    fn pool_max_gradient(
        kept: PoolMaximum<Self>,
        grad: FloatTensor<Self>,
        offsets: Offsets,
    ) -> FloatTensor<Self> {
        pooling::pool_max_gradient(kept, grad, &offsets)
    }

    fn lora_keeping(operation: Lora<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        linear::lora_keeping(operation)
    }
}

impl OptimizerOps for Cube {
    fn adam_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        gradient_scale: Factor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        optimizer::adam_step(
            parameter,
            gradient,
            moment_1,
            moment_2,
            gradient_scale,
            step,
        )
    }

    fn adam_rows_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        rows: TableRows,
        gradient_scale: Factor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        optimizer::adam_rows_step(
            parameter,
            gradient,
            moment_1,
            moment_2,
            &rows,
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
        optimizer::sgd_step(parameter, gradient, gradient_scale, step)
    }

    fn sgd_momentum_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        buffer: FloatTensor<Self>,
        gradient_scale: Factor<Self>,
        step: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        optimizer::sgd_momentum_step(parameter, gradient, buffer, gradient_scale, step)
    }

    fn adafactor_update(
        gradient: FloatTensor<Self>,
        moment: FloatTensor<Self>,
        gradient_scale: Factor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        optimizer::adafactor_update(gradient, moment, gradient_scale, step)
    }

    fn adafactor_factored_update(
        gradient: FloatTensor<Self>,
        row_moment: FloatTensor<Self>,
        column_moment: FloatTensor<Self>,
        gradient_scale: Factor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        optimizer::adafactor_factored_update(
            gradient,
            row_moment,
            column_moment,
            gradient_scale,
            step,
        )
    }

    fn moving_average(
        average: FloatTensor<Self>,
        value: FloatTensor<Self>,
        decay: f64,
    ) -> FloatTensor<Self> {
        optimizer::moving_average(average, value, decay)
    }

    fn square_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        optimizer::square_sum(tensor)
    }

    fn put_square_sums(
        sums: FloatTensor<Self>,
        tensor: FloatTensor<Self>,
        place: usize,
    ) -> FloatTensor<Self> {
        optimizer::put_square_sums(sums, tensor, place)
    }

    fn clip_factor(
        sums: FloatTensor<Self>,
        max_norm: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        optimizer::clip_factor(sums, max_norm)
    }
}
