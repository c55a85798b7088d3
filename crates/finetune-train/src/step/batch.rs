//! The loss of a step, and its gradients.

use finetune_data::{PackedBatch, TokenizedDataset};
use finetune_kernels::DropoutSource;
use finetune_models::SequenceClassifier;

use crate::{FeatureStore, ForwardPath, LossConfig, ParameterGradients, TrainError};

/// The batches of these rows.
pub fn batches(data: &TokenizedDataset, rows: &[Vec<u64>]) -> Result<Vec<PackedBatch>, TrainError> {
    let batches = rows.iter().map(|rows| data.batch(rows));
    Ok(batches.collect::<Result<_, _>>()?)
}

/// How the loss of a step is computed.
#[derive(Clone, Copy, Debug)]
pub struct StepLoss<'a> {
    path: ForwardPath<'a>,
    loss: &'a LossConfig,
}

impl<'a> StepLoss<'a> {
    /// With the first `frozen_layers` layers run without dropout. `features` has their results,
    /// where those are kept.
    pub fn new(
        loss: &'a LossConfig,
        frozen_layers: usize,
        features: Option<&'a FeatureStore>,
    ) -> Self {
        Self {
            path: ForwardPath::new(frozen_layers, features),
            loss,
        }
    }

    /// Mean loss over the rows of all batches of a step, and its gradients: what one batch of all
    /// rows would give, however they are cut. `dropout` is asked for each batch by its index.
    pub fn backward(
        &self,
        model: &SequenceClassifier,
        batches: &[PackedBatch],
        dropout: impl Fn(usize) -> DropoutSource,
    ) -> Result<(f64, ParameterGradients), TrainError> {
        let denominators = batches
            .iter()
            .map(|batch| self.loss.denominator(&batch.labels));
        let denominator = denominators.sum();
        let (mut total, mut sum) = (0.0, None::<ParameterGradients>);
        for (index, batch) in batches.iter().enumerate() {
            let dropout = dropout(index);
            let forward = self.path.logits_and_used_rows(model, batch, dropout);
            let (logits, used_rows) = forward?;
            let loss = self.loss.loss(logits, &batch.labels, denominator)?;
            let gradients = ParameterGradients::backward_of_rows(&loss, model, used_rows);
            total += f64::from(loss.into_scalar::<f32>());
            sum = Some(match sum {
                None => gradients,
                Some(sum) => sum + gradients,
            });
        }
        let gradients = sum.ok_or_else(|| TrainError::Internal("a step without rows".into()))?;
        Ok((total, gradients))
    }
}
