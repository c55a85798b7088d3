//! Losses composed of Burn's differentiable operations. They touch few elements, or are rarely used.

use burn::{
    Tensor,
    tensor::{
        TensorData,
        activation::{log_sigmoid, log_softmax},
    },
};

/// Computes the cross-entropy of `[rows, classes]` logits with soft targets, `[rows · classes]` in
/// row-major order: the sum of `-target · log softmax(logits)` divided by `denominator`, `[1]`. Label
/// smoothing and class weights can be expressed by the targets.
pub fn soft_cross_entropy(logits: Tensor<2>, targets: Vec<f32>, denominator: f64) -> Tensor<1> {
    let targets = constant(targets, &logits);
    (log_softmax(logits, 1) * targets).sum() * (-1.0 / denominator)
}

/// Computes the binary cross-entropy of `[rows, outputs]` logits with targets from 0 to 1,
/// `[rows · outputs]` in row-major order, summed and divided by `denominator` (the number of elements in
/// torch's `BCEWithLogitsLoss`), `[1]`. The loss of a target of 1 is multiplied by
/// `positive_weights[output]` (torch's `pos_weight`), if there are weights.
pub fn binary_cross_entropy_with_logits(
    logits: Tensor<2>,
    targets: &[f32],
    positive_weights: &[f32],
    denominator: f64,
) -> Tensor<1> {
    // -w·y · log σ(x) - (1 - y) · log σ(-x), where the second logarithm is log σ(x) - x.
    let negative = targets.iter().map(|target| 1.0 - target).collect();
    let outputs = logits.dims()[1].max(1);
    let factors = targets.iter().enumerate().map(|(index, target)| {
        let weight = positive_weights.get(index % outputs).unwrap_or(&1.0);
        1.0 + (weight - 1.0) * target
    });
    let factors = constant(factors.collect(), &logits);
    let negative = constant(negative, &logits);
    let loss = logits.clone() * negative - log_sigmoid(logits) * factors;
    loss.sum() / denominator
}

/// Computes the squared error of `[rows, outputs]` predictions, with targets `[rows · outputs]` in
/// row-major order, summed and divided by `denominator` (the number of elements in torch's `MSELoss`),
/// `[1]`.
pub fn mean_squared_error(predictions: Tensor<2>, targets: &[f32], denominator: f64) -> Tensor<1> {
    let error = predictions.clone() - constant(targets.to_vec(), &predictions);
    (error.clone() * error).sum() / denominator
}

/// Computes `1 - cos(x, y)` of the rows of `[rows, width]` tensors, summed and divided by `denominator` (the
/// number of rows in torch's `CosineEmbeddingLoss` with targets of 1), `[1]`.
pub fn cosine_distance(x: Tensor<2>, y: Tensor<2>, denominator: f64) -> Tensor<1> {
    /// As in torch.
    const EPSILON: f32 = 1e-12;
    let rows = x.dims()[0] as f64;
    let square = |x: &Tensor<2>| (x.clone() * x.clone()).sum_dim(1) + EPSILON;
    let norms = (square(&x) * square(&y)).sqrt();
    let cosines = (x * y).sum_dim(1) / norms;
    (-cosines.sum() + rows) / denominator
}

/// Creates a tensor of the shape of `like` that takes no part in autodiff.
fn constant(values: Vec<f32>, like: &Tensor<2>) -> Tensor<2> {
    let data = TensorData::new(values, like.dims());
    Tensor::from_data(data, &like.device().inner())
}
