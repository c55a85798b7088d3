//! An evaluation within a run: observers watch it, and features of frozen layers are used.

use finetune_data::{PackedBatch, TokenizedDataset};
use finetune_infer::{Accumulator, evaluate_with};
use finetune_kernels::DropoutSource;
use finetune_models::SequenceClassifier;

use crate::{Event, FeatureStore, ForwardPath, Observers, TrainError};

/// Evaluates `model` on all rows of `data`, `batch_size` at a time, and tells observers how far it
/// is. `split` is for them. `features` has the results of frozen layers for these rows, where those
/// are kept.
///
/// # Errors
/// As [`evaluate_with`]; [`TrainError::Interrupted`] where an observer wants it.
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
