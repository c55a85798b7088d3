use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{Shape, TensorData},
};

/// See [`EncoderOps::softmax_cross_entropy`](crate::EncoderOps::softmax_cross_entropy).
pub(crate) fn softmax_cross_entropy<B: Backend>(
    logits: FloatTensor<B>,
    targets: &[u32],
    denominator: f64,
) -> FloatTensor<B> {
    let targets: Vec<i32> = targets.iter().map(|&target| target as i32).collect();
    let shape = [targets.len(), 1];
    let targets = B::int_from_data(TensorData::new(targets, shape), &logits.device());
    let log_probabilities = B::log_softmax(logits, 1);
    let chosen = B::float_gather(1, log_probabilities, targets);
    let sum = B::float_reshape(B::float_sum(chosen), Shape::new([1]));
    B::float_mul_scalar(sum, (-1.0 / denominator).into())
}
