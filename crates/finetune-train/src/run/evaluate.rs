//! Evaluation within a run, with observers and stored features of frozen layers.

use finetune_data::{PackedBatch, TokenizedDataset};
use finetune_infer::{Accumulator, evaluate_with};
use finetune_kernels::DropoutSource;
use finetune_models::SequenceClassifier;

use crate::{Event, FeatureStore, ForwardPath, Observers, TrainError};

/// Evaluates `model` on all rows of `data`, `batch_size` rows at a time, and reports progress to the
/// observers, with `split` as the name of the rows. `features` holds the results of frozen layers for
/// these rows, if they are stored.
///
/// # Errors
/// Fails like [`evaluate_with`], and with [`TrainError::Interrupted`] if an observer interrupts the
/// run.
pub fn evaluate(
    model: &SequenceClassifier,
    data: &TokenizedDataset,
    features: Option<&FeatureStore>,
    split: &'static str,
    batch_size: usize,
    observers: &mut Observers<'_>,
) -> Result<Accumulator, TrainError> {
    observers.emit(&Event::Evaluating {
        split,
        rows: data.len(),
    })?;
    let path = ForwardPath::new(0, features);
    let forward = |model: &SequenceClassifier, batch: &PackedBatch| {
        path.logits(model, batch, DropoutSource::OFF)
    };
    let progress = |rows| {
        observers.emit(&Event::EvaluationProgress { rows })?;
        match observers.interrupted() {
            true => Err(TrainError::Interrupted),
            false => Ok(()),
        }
    };
    evaluate_with(model, data, split, batch_size, forward, progress)
}
