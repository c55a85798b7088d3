//! Layer norms, forward and backward: a cube for each row, and column sums in two steps.

use burn::backend::{Cube, tensor::FloatTensor};
use burn_cubecl::{
    cubecl::{self, prelude::*},
    tensor::CubeTensor,
};

use super::{
    buffers::{UNITS, buffer, cube_each, dims, empty, packed},
    dropout::dropout,
    embedding,
    philox::{Site, factor, site},
    reduce::cube_sum,
};
use crate::{
    Dropout,
    ops::{DropoutResidualNorm, EmbeddingNorm, LayerNorm, Norm, NormBackward, NormGradients},
};

/// Number of rows that a cube adds up in the first step of column sums.
const ROWS: usize = 32;

/// The values that a norm keeps.
#[derive(Clone, Debug)]
pub struct NormKept {
    /// The rows normalized to mean 0 and variance 1, `[rows, columns]`.
    normal: CubeTensor,
    /// The standard deviations by which the rows were divided, `[rows]`.
    deviations: CubeTensor,
    /// The scale, `[columns]`.
    gamma: CubeTensor,
}

/// See [`EncoderOps::dropout_residual_norm`](crate::ops::EncoderOps::dropout_residual_norm).
pub(super) fn dropout_residual_norm(operation: DropoutResidualNorm<Cube>) -> FloatTensor<Cube> {
    let DropoutResidualNorm {
        x,
        residual,
        norm,
        dropout,
    } = operation;
    normalize(x, Some(residual), norm, dropout, false).0
}

/// See [`EncoderOps::norm`](crate::ops::EncoderOps::norm).
pub(super) fn layer_norm(operation: LayerNorm<Cube>) -> FloatTensor<Cube> {
    normalize(operation.x, None, operation.norm, Dropout::NONE, false).0
}

/// See [`EncoderOps::embedding_norm`](crate::ops::EncoderOps::embedding_norm).
pub(super) fn embedding_norm(operation: EmbeddingNorm<Cube>) -> FloatTensor<Cube> {
    let sum = embedding::sum(operation.tables, &operation.tokens);
    let result = normalize(sum, None, operation.norm, Dropout::NONE, false).0;
    dropout(result, operation.dropout)
}

impl NormBackward<Cube> for NormKept {
    fn dropout_residual_norm(operation: DropoutResidualNorm<Cube>) -> (FloatTensor<Cube>, Self) {
        let DropoutResidualNorm {
            x,
            residual,
            norm,
            dropout,
        } = operation;
        normalize_keeping(x, Some(residual), norm, dropout)
    }

    fn embedding_norm(operation: EmbeddingNorm<Cube>) -> (FloatTensor<Cube>, Self) {
        let sum = embedding::sum(operation.tables, &operation.tokens);
        let (result, kept) = normalize_keeping(sum, None, operation.norm, Dropout::NONE);
        (dropout(result, operation.dropout), kept)
    }

    fn layer_norm(operation: LayerNorm<Cube>) -> (FloatTensor<Cube>, Self) {
        normalize_keeping(operation.x, None, operation.norm, Dropout::NONE)
    }

    fn gradients(
        self,
        grad: FloatTensor<Cube>,
        dropout: Dropout,
        wanted: NormGradients<bool>,
    ) -> NormGradients<Option<FloatTensor<Cube>>> {
        let grad = packed(grad);
        let (gamma, beta) = match wanted.gamma || wanted.beta {
            true => {
                let (gamma, beta) = self.parameter_gradients(&grad);
                (wanted.gamma.then_some(gamma), wanted.beta.then_some(beta))
            }
            false => (None, None),
        };
        let (mut x, mut residual) = (None, None);
        if wanted.x || wanted.residual {
            let separate = wanted.x && !dropout.is_none();
            let (sum, dropped) = self.input_gradients(&grad, &dropout, separate);
            x = wanted.x.then(|| dropped.unwrap_or_else(|| sum.clone()));
            residual = wanted.residual.then_some(sum);
        }
        NormGradients {
            x,
            residual,
            gamma,
            beta,
        }
    }
}

/// Computes `norm(dropout(x) + residual)` and keeps what its gradients need.
fn normalize_keeping(
    x: CubeTensor,
    residual: Option<CubeTensor>,
    norm: Norm<Cube>,
    dropout: Dropout,
) -> (CubeTensor, NormKept) {
    let gamma = norm.gamma.clone();
    let (result, [normal, deviations]) = normalize(x, residual, norm, dropout, true);
    let kept = NormKept {
        normal,
        deviations,
        gamma: packed(gamma),
    };
    (result, kept)
}

/// Computes `norm(dropout(x) + residual)`, and the normalized rows and the deviations if they are kept
/// (otherwise, these tensors have no meaning).
fn normalize(
    x: CubeTensor,
    residual: Option<CubeTensor>,
    norm: Norm<Cube>,
    dropout: Dropout,
    keep: bool,
) -> (CubeTensor, [CubeTensor; 2]) {
    let x = packed(x);
    let [rows, columns] = dims(&x);
    let result = empty(&x, [rows, columns]);
    let normal = match keep {
        true => empty(&x, [rows, columns]),
        false => empty(&x, [1, 1]),
    };
    let deviations = empty(&x, [if keep { rows } else { 1 }]);
    let adds = residual.is_some();
    let residual = packed(residual.unwrap_or_else(|| x.clone()));
    if rows * columns > 0 {
        // SAFETY: the kernel's accesses are within rows and columns, which are the buffers'.
        unsafe {
            norm_kernel::launch_unchecked(
                &x.client,
                cube_each(rows),
                CubeDim::new_1d(UNITS),
                buffer(&x),
                buffer(&residual),
                buffer(&packed(norm.gamma)),
                buffer(&packed(norm.beta)),
                buffer(&result),
                buffer(&normal),
                buffer(&deviations),
                site(&dropout),
                norm.epsilon as f32,
                rows,
                columns,
                adds,
                !dropout.is_none(),
                keep,
            );
        }
    }
    (result, [normal, deviations])
}

#[cube(launch_unchecked)]
fn norm_kernel(
    x: &[f32],
    residual: &[f32],
    gamma: &[f32],
    beta: &[f32],
    result: &mut [f32],
    normal: &mut [f32],
    deviations: &mut [f32],
    site: Site,
    epsilon: f32,
    rows: usize,
    #[comptime] columns: usize,
    #[comptime] adds: bool,
    #[comptime] drops: bool,
    #[comptime] keep: bool,
) {
    let row = CUBE_POS as usize;
    if row >= rows {
        terminate!();
    }
    let start = row * columns;
    let mine = comptime!(columns.div_ceil(UNITS as usize));
    let mut values = Array::<f32>::new(mine);
    let mut sum = 0.0f32;
    #[unroll]
    for piece in 0..mine {
        let column = piece * UNITS as usize + UNIT_POS as usize;
        let mut value = 0.0f32;
        if column < columns {
            let element = start + column;
            value = x[element];
            if comptime!(drops) {
                value *= factor(&site, element as u32);
            }
            if comptime!(adds) {
                value += residual[element];
            }
        }
        values[piece] = value;
        sum += value;
    }
    let mean = cube_sum(sum, UNITS) / columns as f32;
    let mut squares = 0.0f32;
    #[unroll]
    for piece in 0..mine {
        let column = piece * UNITS as usize + UNIT_POS as usize;
        if column < columns {
            let centered = values[piece] - mean;
            squares += centered * centered;
        }
    }
    let variance = cube_sum(squares, UNITS) / columns as f32;
    let deviation = (variance + epsilon).sqrt();
    #[unroll]
    for piece in 0..mine {
        let column = piece * UNITS as usize + UNIT_POS as usize;
        if column < columns {
            let value = (values[piece] - mean) / deviation;
            if comptime!(keep) {
                normal[start + column] = value;
            }
            result[start + column] = value * gamma[column] + beta[column];
        }
    }
    if comptime!(keep) {
        if UNIT_POS == 0 {
            deviations[row] = deviation;
        }
    }
}

impl NormKept {
    /// Computes the gradient of the norm's input, `(g - mean(g) - normal · mean(g · normal)) / deviation`
    /// with `g = grad · gamma`, and if it is wanted, that of the input of dropout.
    fn input_gradients(
        &self,
        grad: &CubeTensor,
        dropout: &Dropout,
        dropped: bool,
    ) -> (CubeTensor, Option<CubeTensor>) {
        let [rows, columns] = dims(grad);
        let sum = empty(grad, [rows, columns]);
        let x = dropped.then(|| empty(grad, [rows, columns]));
        if rows * columns > 0 {
            // SAFETY: the kernel's accesses are within rows and columns, which are the buffers'.
            unsafe {
                input_gradient_kernel::launch_unchecked(
                    &grad.client,
                    cube_each(rows),
                    CubeDim::new_1d(UNITS),
                    buffer(grad),
                    buffer(&self.normal),
                    buffer(&self.deviations),
                    buffer(&self.gamma),
                    buffer(&sum),
                    buffer(x.as_ref().unwrap_or(&sum)),
                    site(dropout),
                    rows,
                    columns,
                    dropped,
                );
            }
        }
        (sum, x)
    }

    /// Computes the gradients of gamma and beta.
    fn parameter_gradients(&self, grad: &CubeTensor) -> (CubeTensor, CubeTensor) {
        let [rows, columns] = dims(grad);
        let pieces = rows.div_ceil(ROWS).max(1);
        let partial = empty(grad, [2 * pieces, columns]);
        let (gamma, beta) = (empty(grad, [columns]), empty(grad, [columns]));
        let across = columns.div_ceil(UNITS as usize) as u32;
        // SAFETY: the kernels' accesses are within rows, columns and pieces, which are the buffers'.
        unsafe {
            parameter_gradient_kernel::launch_unchecked(
                &grad.client,
                CubeCount::Static(across, pieces as u32, 1),
                CubeDim::new_1d(UNITS),
                buffer(grad),
                buffer(&self.normal),
                buffer(&partial),
                rows,
                columns,
            );
            total_kernel::launch_unchecked(
                &grad.client,
                CubeCount::Static(across, 1, 1),
                CubeDim::new_1d(UNITS),
                buffer(&partial),
                buffer(&gamma),
                buffer(&beta),
                pieces,
                columns,
            );
        }
        (gamma, beta)
    }
}

#[cube(launch_unchecked)]
fn input_gradient_kernel(
    grad: &[f32],
    normal: &[f32],
    deviations: &[f32],
    gamma: &[f32],
    sum: &mut [f32],
    x: &mut [f32],
    site: Site,
    rows: usize,
    #[comptime] columns: usize,
    #[comptime] dropped: bool,
) {
    let row = CUBE_POS as usize;
    if row >= rows {
        terminate!();
    }
    let start = row * columns;
    let mine = comptime!(columns.div_ceil(UNITS as usize));
    let mut scaled = Array::<f32>::new(mine);
    let mut normals = Array::<f32>::new(mine);
    let mut total = 0.0f32;
    let mut along = 0.0f32;
    #[unroll]
    for piece in 0..mine {
        let column = piece * UNITS as usize + UNIT_POS as usize;
        let mut value = 0.0f32;
        let mut unit = 0.0f32;
        if column < columns {
            value = grad[start + column] * gamma[column];
            unit = normal[start + column];
        }
        scaled[piece] = value;
        normals[piece] = unit;
        total += value;
        along += value * unit;
    }
    let mean = cube_sum(total, UNITS) / columns as f32;
    let along = cube_sum(along, UNITS) / columns as f32;
    let deviation = deviations[row];
    #[unroll]
    for piece in 0..mine {
        let column = piece * UNITS as usize + UNIT_POS as usize;
        if column < columns {
            let element = start + column;
            let value = (scaled[piece] - mean - normals[piece] * along) / deviation;
            sum[element] = value;
            if comptime!(dropped) {
                x[element] = value * factor(&site, element as u32);
            }
        }
    }
}

/// Adds up [`ROWS`] rows of `grad · normal` and of `grad` for each column.
#[cube(launch_unchecked)]
fn parameter_gradient_kernel(
    grad: &[f32],
    normal: &[f32],
    partial: &mut [f32],
    rows: usize,
    #[comptime] columns: usize,
) {
    let column = (CUBE_POS_X * UNITS + UNIT_POS) as usize;
    if column >= columns {
        terminate!();
    }
    let piece = CUBE_POS_Y as usize;
    let first = piece * ROWS;
    let last = clamp_max(first + ROWS, rows);
    let mut gamma = 0.0f32;
    let mut beta = 0.0f32;
    for row in first..last {
        let element = row * columns + column;
        gamma += grad[element] * normal[element];
        beta += grad[element];
    }
    partial[2 * piece * columns + column] = gamma;
    partial[(2 * piece + 1) * columns + column] = beta;
}

/// Adds up the partial sums of each column.
#[cube(launch_unchecked)]
fn total_kernel(
    partial: &[f32],
    gamma: &mut [f32],
    beta: &mut [f32],
    pieces: usize,
    #[comptime] columns: usize,
) {
    let column = (CUBE_POS_X * UNITS + UNIT_POS) as usize;
    if column >= columns {
        terminate!();
    }
    let mut first = 0.0f32;
    let mut second = 0.0f32;
    for piece in 0..pieces {
        first += partial[2 * piece * columns + column];
        second += partial[(2 * piece + 1) * columns + column];
    }
    gamma[column] = first;
    beta[column] = second;
}
