//! Evaluation within a run, with observers and stored features of frozen layers.

use finetune_data::{PackedBatch, TokenizedDataset};
use finetune_infer::{Accumulator, evaluate_with};
use finetune_kernels::DropoutSource;
use finetune_models::SequenceClassifier;

use crate::{Event, FeatureStore, ForwardPath, Observers, TrainError};

/// Rows that a run does not train on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HeldOut<'a> {
    /// Rows on which models are compared.
    Validation(&'a TokenizedDataset),
    /// Rows on which the kept model is evaluated.
    Test(&'a TokenizedDataset),
}

impl<'a> HeldOut<'a> {
    /// Returns the rows.
    pub fn rows(self) -> &'a TokenizedDataset {
        match self {
            Self::Validation(rows) | Self::Test(rows) => rows,
        }
    }

    /// Returns the name of the rows in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation(_) => "validation",
            Self::Test(_) => "test",
        }
    }
}

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
    let path = ForwardPath::new(0, features);
    let forward = |model: &SequenceClassifier, batch: &PackedBatch| {
        path.logits(model, batch, DropoutSource::OFF)
    };
    let progress = reported(split, data.len(), observers)?;
    evaluate_with(model, data, split, batch_size, forward, progress)
}

/// Reports to the observers that an evaluation of `rows` rows begins, and returns what reports its progress
/// and lets them interrupt it.
///
/// # Errors
/// Fails if an observer fails.
pub(crate) fn reported<'a, 'o>(
    split: &'static str,
    rows: u64,
    observers: &'a mut Observers<'o>,
) -> Result<impl FnMut(u64) -> Result<(), TrainError> + use<'a, 'o>, TrainError> {
    observers.emit(&Event::Evaluating { split, rows })?;
    Ok(move |rows| {
        observers.emit(&Event::EvaluationProgress { rows })?;
        match observers.interrupted() {
            true => Err(TrainError::Interrupted),
            false => Ok(()),
        }
    })
}
