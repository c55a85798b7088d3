//! The loss of a step and its gradients.

use finetune_data::{PackedBatch, TokenizedDataset};
use finetune_kernels::DropoutSource;
use finetune_models::SequenceClassifier;

use crate::{
    BatchLosses, FeatureStore, ForwardPath, LossConfig, ParameterGradients, TrainError,
    step::total::StepTotal,
};

/// Reads the batches that consist of these rows.
///
/// # Errors
/// Fails if a row cannot be read.
pub fn batches(data: &TokenizedDataset, rows: &[Vec<u64>]) -> Result<Vec<PackedBatch>, TrainError> {
    let batches = rows.iter().map(|rows| data.batch(rows));
    Ok(batches.collect::<Result<_, _>>()?)
}

/// Computes the loss of a step.
#[derive(Clone, Copy, Debug)]
pub struct StepLoss<'a> {
    path: ForwardPath<'a>,
    loss: &'a LossConfig,
}

impl<'a> StepLoss<'a> {
    /// Runs the first `frozen_layers` layers without dropout. `features` holds their results, if they
    /// are stored.
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

    /// Computes the mean loss over the rows of all batches of a step, and its gradients, which do not
    /// depend on how the rows are split into batches. `dropout` gives the source for each batch by its
    /// index.
    ///
    /// # Errors
    /// Fails if there are no batches, a batch does not fit the model, or features cannot be read.
    pub fn backward(
        &self,
        model: &SequenceClassifier,
        batches: &[PackedBatch],
        dropout: impl Fn(usize) -> DropoutSource,
    ) -> Result<(BatchLosses, ParameterGradients), TrainError> {
        let denominators = batches
            .iter()
            .map(|batch| self.loss.denominator(&batch.labels));
        let denominator = denominators.sum();
        let mut total = StepTotal::default();
        for (index, batch) in batches.iter().enumerate() {
            let dropout = dropout(index);
            let forward = self.path.logits_and_used_rows(model, batch, dropout);
            let (logits, used_rows) = forward?;
            let loss = self.loss.loss(logits, &batch.labels, denominator)?;
            total.add(loss, model, used_rows);
        }
        let nothing = || TrainError::Internal("a step without rows".into());
        total.finish().ok_or_else(nothing)
    }
}
