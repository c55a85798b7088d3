//! Losses made of Burn's differentiable operations; they see a few numbers per row.

use burn::{
    Tensor,
    tensor::{TensorData, activation::log_softmax},
};

/// Cross-entropy of `[rows, classes]` logits against weights per class, `[rows · classes]` row by
/// row: the sum of `-weight · log softmax(logits)`, divided by `denominator`: `[1]`. Label smoothing
/// and class weights are such weights.
pub fn soft_cross_entropy(logits: Tensor<2>, targets: Vec<f32>, denominator: f64) -> Tensor<1> {
    let targets = constant(targets, &logits);
    (log_softmax(logits, 1) * targets).sum() * (-1.0 / denominator)
}

/// Binary cross-entropy of `[rows, outputs]` logits against marks of 0 or 1, `[rows · outputs]` row
/// by row, summed and divided by `denominator`: `[1]`. The loss of a mark counts
/// `positive_weights[output]` times (torch's `pos_weight`); empty: once.
///
/// Each logit is one of two classes, of which the other has logit 0: then the softmax's own
/// stability and its exact gradient, at 0 too, serve for any logit.
pub fn binary_cross_entropy_with_logits(
    logits: Tensor<2>,
    targets: &[f32],
    positive_weights: &[f32],
    denominator: f64,
) -> Tensor<1> {
    let outputs = logits.dims()[1].max(1);
    let weight = |index: usize| {
        let weight = positive_weights.get(index % outputs).copied();
        weight.unwrap_or(1.0)
    };
    let pairs = targets.iter().enumerate();
    let pairs = pairs.flat_map(|(index, &target)| [target * weight(index), 1.0 - target]);
    let pairs = pairs.collect();
    let logits = logits.reshape([targets.len(), 1]);
    let other = logits.zeros_like();
    soft_cross_entropy(Tensor::cat(vec![logits, other], 1), pairs, denominator)
}

/// Squared error of `[rows, outputs]` predictions against values, `[rows · outputs]` row by row,
/// summed and divided by `denominator`: `[1]`.
pub fn mean_squared_error(predictions: Tensor<2>, targets: &[f32], denominator: f64) -> Tensor<1> {
    let error = predictions.clone() - constant(targets.to_vec(), &predictions);
    (error.clone() * error).sum() / denominator
}

/// A tensor of the shape of `like` that no gradient reaches.
fn constant(values: Vec<f32>, like: &Tensor<2>) -> Tensor<2> {
    let data = TensorData::new(values, like.dims());
    Tensor::from_data(data, &like.device().inner())
}
