//! Cross-entropy over a vocabulary, whose logits are never all in memory.

use std::ops::Range;

use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{IndexingUpdateOp, Shape, Slice},
};

use super::{
    column_sums, matmul, softmax_cross_entropy, transposed,
    upload::{constant, integers},
};
use crate::ops::{VocabularyCrossEntropy, vocabulary::rows_per_chunk};

/// See [`EncoderOps::vocabulary_cross_entropy`](crate::ops::EncoderOps::vocabulary_cross_entropy).
pub(crate) fn vocabulary_cross_entropy<B: Backend>(
    operation: VocabularyCrossEntropy<B>,
) -> FloatTensor<B> {
    let losses = chunks(&operation).map(|rows| {
        let logits = logits(&operation, chunk_of::<B>(&operation, &rows));
        let targets = &operation.targets[rows];
        softmax_cross_entropy::<B>(logits, targets, operation.denominator)
    });
    let sum = losses.reduce(B::float_add);
    sum.unwrap_or_else(|| constant::<B>(vec![0.0], [1], &operation.x))
}

/// See [`EncoderGradients::vocabulary_gradients`](crate::ops::EncoderGradients::vocabulary_gradients).
pub(crate) fn vocabulary_gradients<B: Backend>(
    operation: VocabularyCrossEntropy<B>,
    wanted: [bool; 3],
) -> (FloatTensor<B>, [Option<FloatTensor<B>>; 3]) {
    let (x, table, bias) = (&operation.x, &operation.table, &operation.bias);
    let precision = operation.precision;
    let zeros = |like: &FloatTensor<B>| {
        let shape = like.shape();
        constant::<B>(vec![0.0; shape.num_elements()], shape, like)
    };
    let mut loss = zeros(&constant::<B>(vec![0.0], [1], x));
    let mut x_gradient = Vec::new();
    let mut table_gradient = wanted[1].then(|| zeros(table));
    let mut bias_gradient = wanted[2].then(|| zeros(bias));
    for rows in chunks(&operation) {
        let chunk = chunk_of::<B>(&operation, &rows);
        let logits = logits(&operation, chunk.clone());
        let targets = &operation.targets[rows];
        let own = softmax_cross_entropy::<B>(logits.clone(), targets, operation.denominator);
        loss = B::float_add(loss, own);
        let gradient = logits_gradient::<B>(logits, targets, operation.denominator);
        if wanted[0] {
            x_gradient.push(matmul::<B>(gradient.clone(), table.clone(), precision));
        }
        table_gradient = table_gradient.map(|sum| {
            let transposed = transposed::<B>(gradient.clone());
            B::float_add(sum, matmul::<B>(transposed, chunk, precision))
        });
        bias_gradient =
            bias_gradient.map(|sum| B::float_add(sum, column_sums::<B>(gradient.clone())));
    }
    let x_gradient = wanted[0].then(|| match x_gradient.is_empty() {
        true => zeros(x),
        false => B::float_cat(x_gradient, 0),
    });
    (loss, [x_gradient, table_gradient, bias_gradient])
}

/// See [`EncoderGradients::scaled`](crate::ops::EncoderGradients::scaled).
pub(crate) fn scaled<B: Backend>(x: FloatTensor<B>, factor: FloatTensor<B>) -> FloatTensor<B> {
    let ones = Shape::from(vec![1; x.shape().num_dims()]);
    B::float_mul(x, B::float_reshape(factor, ones))
}

/// Divides the rows into chunks.
fn chunks<B: Backend>(
    operation: &VocabularyCrossEntropy<B>,
) -> impl Iterator<Item = Range<usize>> + use<B> {
    let rows = operation.targets.len();
    let length = rows_per_chunk(rows, operation.bias.shape()[0]);
    let starts = (0..rows).step_by(length);
    starts.map(move |start| start..(start + length).min(rows))
}

/// Takes some rows of x.
fn chunk_of<B: Backend>(
    operation: &VocabularyCrossEntropy<B>,
    rows: &Range<usize>,
) -> FloatTensor<B> {
    match rows.len() == operation.targets.len() {
        true => operation.x.clone(),
        false => B::float_slice(operation.x.clone(), &[Slice::from(rows.clone())]),
    }
}

/// Computes `x · tableᵀ + bias` for a chunk of x, `[rows, vocab_size]`.
fn logits<B: Backend>(
    operation: &VocabularyCrossEntropy<B>,
    chunk: FloatTensor<B>,
) -> FloatTensor<B> {
    let table = transposed::<B>(operation.table.clone());
    let product = matmul::<B>(chunk, table, operation.precision);
    let row = Shape::new([1, operation.bias.shape()[0]]);
    B::float_add(product, B::float_reshape(operation.bias.clone(), row))
}

/// Computes the gradient of a chunk's logits, `(softmax(logits) - target) / denominator`.
fn logits_gradient<B: Backend>(
    logits: FloatTensor<B>,
    targets: &[u32],
    denominator: f64,
) -> FloatTensor<B> {
    let shape = [targets.len(), 1];
    let places = integers::<B>(targets.iter().copied(), shape, &logits);
    let ones = constant::<B>(vec![-1.0; targets.len()], shape, &logits);
    let probabilities = B::softmax(logits, 1);
    let difference = B::float_scatter(1, probabilities, places, ones, IndexingUpdateOp::Add);
    B::float_mul_scalar(difference, (1.0 / denominator).into())
}
