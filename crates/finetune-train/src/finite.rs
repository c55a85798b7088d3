//! A loss that is no number ends the run, with everything that helps to find out why.

use finetune_data::{PackedBatch, TokenizedDataset};

use crate::{LastStep, TrainError};

/// Refuses a loss or a gradient norm that is not finite, and names the rows of the step.
pub(crate) fn finite(
    loss: f64,
    last: LastStep,
    step: u64,
    batches: &[PackedBatch],
    data: &TokenizedDataset,
) -> Result<(), TrainError> {
    if loss.is_finite() && last.grad_norm.is_finite() {
        return Ok(());
    }
    let rows = batches.iter().flat_map(|batch| &batch.rows);
    let places = rows.map(|&row| Ok(data.source(row)?.to_string()));
    let places = places.collect::<Result<Vec<_>, TrainError>>()?;
    Err(TrainError::NotFinite {
        step: step + 1,
        loss,
        gradient_norm: last.grad_norm,
        learning_rate: last.learning_rate,
        rows: places.join("; "),
    })
}
