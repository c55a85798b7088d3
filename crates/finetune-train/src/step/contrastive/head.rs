//! The head of a contrastive run: a logistic regression on the embeddings of the training rows.

use burn::{Tensor, module::Module, tensor::TensorData};
use finetune_data::{Labels, TokenizedDataset};
use finetune_infer::Workers;
use finetune_kernels::{DropoutSource, values_of};
use finetune_models::SequenceClassifier;

use super::{
    logistic::{self, Rows},
    loss::embeddings,
};
use crate::{TrainError, TrainPlan};

/// Returns the classifier that fits the training rows best, `[hidden, outputs]` and `[outputs]`. It
/// depends on the encoder and the rows alone, so it is the same in every session.
///
/// # Errors
/// Fails if the rows cannot be read or do not fit the model.
pub(crate) fn fitted_head(
    trained: &SequenceClassifier,
    data: &TokenizedDataset,
    plan: &TrainPlan,
) -> Result<(Tensor<2>, Tensor<1>), TrainError> {
    let model = trained.valid();
    let workers = Workers::of(&model.device());
    let width = model.config().hidden_size;
    let (mut features, mut classes) = (Vec::<f64>::new(), Vec::new());
    let numbers: Vec<u64> = (0..data.len()).collect();
    for numbers in numbers.chunks(plan.evaluation.eval_batch_size) {
        let batch = data.batch(numbers)?;
        let rows = workers.run(|| embeddings(&model, &batch.tokens, DropoutSource::OFF))?;
        features.extend(values_of(rows).into_iter().map(f64::from));
        let Labels::Classes(of_batch) = batch.labels else {
            return Err(TrainError::Internal(
                "a head for rows without classes".into(),
            ));
        };
        classes.extend(of_batch);
    }
    let scale = 1.0 / mean_length(&features, width);
    features.iter_mut().for_each(|value| *value *= scale);
    let rows = Rows {
        features,
        width,
        classes,
    };
    let outputs = model.config().outputs.num_labels();
    let layer = logistic::fit(&rows, outputs, plan.model.contrastive.head_c);
    // The model's layer is `[in, out]`, and its input is not scaled.
    let weight = (0..width * outputs).map(|index| {
        let (input, output) = (index / outputs, index % outputs);
        (layer.weight[output * width + input] * scale) as f32
    });
    let weight = TensorData::new(weight.collect::<Vec<_>>(), [width, outputs]);
    let bias: Vec<_> = layer.bias.iter().map(|&value| value as f32).collect();
    let bias = TensorData::new(bias, [outputs]);
    let device = trained.device();
    Ok((
        Tensor::from_data(weight, &device),
        Tensor::from_data(bias, &device),
    ))
}

/// Returns the mean length of the rows. SetFit's embeddings have the length 1; a factor for all rows,
/// which the weights can take up, gives the penalty of the regression the same meaning.
fn mean_length(features: &[f64], width: usize) -> f64 {
    let length = |row: &[f64]| row.iter().map(|value| value * value).sum::<f64>().sqrt();
    let lengths: f64 = features.chunks(width).map(length).sum();
    let mean = lengths / (features.len() / width.max(1)).max(1) as f64;
    match mean > 0.0 {
        true => mean,
        false => 1.0,
    }
}
