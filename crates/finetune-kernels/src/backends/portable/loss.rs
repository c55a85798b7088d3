//! Cross-entropy with class indices.

use burn::{
    backend::{Backend, tensor::FloatTensor},
    tensor::Shape,
};

use super::upload::integers;

/// See [`EncoderOps::softmax_cross_entropy`](crate::ops::EncoderOps::softmax_cross_entropy).
pub(crate) fn softmax_cross_entropy<B: Backend>(
    logits: FloatTensor<B>,
    targets: &[u32],
    denominator: f64,
) -> FloatTensor<B> {
    let targets = integers::<B>(targets.iter().copied(), [targets.len(), 1], &logits);
    let log_probabilities = B::log_softmax(logits, 1);
    let chosen = B::float_gather(1, log_probabilities, targets);
    let sum = B::float_reshape(B::float_sum(chosen), Shape::new([1]));
    B::float_mul_scalar(sum, (-1.0 / denominator).into())
}
