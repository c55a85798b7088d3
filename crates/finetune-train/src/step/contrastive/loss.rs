//! The loss of a step on pairs of texts.

use burn::Tensor;
use finetune_data::{Labels, PackedBatch};
use finetune_kernels::{DropoutSource, PackedTokens, mean_squared_error};
use finetune_models::{ModelError, SequenceClassifier};

use crate::{BatchLosses, ParameterGradients, TrainError, step::total::StepTotal};

/// Added to the square of a vector's length, so that even 0 has a direction.
const EPSILON: f64 = 1e-12;

/// Computes the mean loss over the pairs of all batches of a step, and its gradients, which do not depend
/// on how the pairs are split into batches. In each batch, every two rows are a pair. `dropout` gives the
/// source for each batch by its index.
///
/// The loss of a pair is that of sentence-transformers' `CosineSimilarityLoss`: the squared error of the
/// cosine between the two texts' embeddings, which is to be 1 within a class and 0 between classes.
///
/// # Errors
/// Fails if there are no batches, if a batch does not fit the model, or if its rows are not in pairs or
/// have no classes.
pub fn pair_loss(
    model: &SequenceClassifier,
    batches: &[PackedBatch],
    dropout: impl Fn(usize) -> DropoutSource,
) -> Result<(BatchLosses, ParameterGradients), TrainError> {
    let pairs: usize = batches.iter().map(|batch| batch.batch_size() / 2).sum();
    let mut total = StepTotal::default();
    for (index, batch) in batches.iter().enumerate() {
        let tokens = batch.tokens.clone().with_used_rows();
        let embeddings = embeddings(model, &tokens, dropout(index))?;
        let loss = mean_squared_error(cosines(embeddings), &targets(batch)?, pairs as f64);
        total.add(loss, model, tokens.used_rows);
    }
    let nothing = || TrainError::Internal("a step without pairs".into());
    total.finish().ok_or_else(nothing)
}

/// Computes the input of the head, `[batch, hidden]`.
pub(super) fn embeddings(
    model: &SequenceClassifier,
    tokens: &PackedTokens,
    dropout: DropoutSource,
) -> Result<Tensor<2>, ModelError> {
    let hidden = model.encoder.embed(tokens, dropout)?;
    Ok(model.encoder.pooled(hidden, &tokens.offsets, dropout))
}

/// Computes the cosines between every two rows: `[2 · pairs, hidden]` to `[pairs, 1]`.
fn cosines(embeddings: Tensor<2>) -> Tensor<2> {
    let [rows, width] = embeddings.dims();
    let length = (embeddings.clone().square().sum_dim(1) + EPSILON).sqrt();
    let pairs: Tensor<2> = (embeddings / length).reshape([rows / 2, 2 * width]);
    let first = pairs.clone().narrow(1, 0, width);
    (first * pairs.narrow(1, width, width)).sum_dim(1)
}

/// Returns 1 for each pair of the same class, and 0 for each other.
fn targets(batch: &PackedBatch) -> Result<Vec<f32>, TrainError> {
    match &batch.labels {
        Labels::Classes(classes) if classes.len().is_multiple_of(2) => {
            let pairs = classes.chunks(2);
            Ok(pairs
                .map(|pair| f32::from(u8::from(pair[0] == pair[1])))
                .collect())
        }
        _ => Err(TrainError::Internal(
            "a batch of pairs has an odd number of rows, or no classes".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// The values and gradients of torch's `cosine_similarity` with a mean squared error to 1 and 0.
    #[test]
    fn cosines_of_neighbours() {
        let device = Device::flex().autodiff();
        let rows = [[3.0, 4.0], [4.0, 3.0], [1.0, 0.0], [0.6, 0.8]];
        let rows = Tensor::<2>::from_floats(rows, &device).require_grad();
        let cosines = cosines(rows.clone());
        let values: Vec<f32> = cosines.clone().into_data().iter::<f32>().collect();
        assert!((values[0] - 0.96).abs() < 1e-6 && (values[1] - 0.6).abs() < 1e-6);
        let loss = mean_squared_error(cosines, &[1.0, 0.0], 2.0);
        let mut gradients = loss.backward();
        let found = rows.grad_remove(&mut gradients).unwrap();
        let found: Vec<f32> = found.into_data().iter::<f32>().collect();
        // (c - y) · (b/|b| - c · a/|a|) / |a|
        let expected = [
            -0.04 * (0.8 - 0.96 * 0.6) / 5.0,
            -0.04 * (0.6 - 0.96 * 0.8) / 5.0,
            -0.04 * (0.6 - 0.96 * 0.8) / 5.0,
            -0.04 * (0.8 - 0.96 * 0.6) / 5.0,
            0.6 * (0.6 - 0.6),
            0.6 * 0.8,
            0.6 * (1.0 - 0.6 * 0.6),
            0.6 * (0.0 - 0.6 * 0.8),
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
