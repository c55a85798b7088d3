//! What is known of a step before it is taken.

use finetune_data::{PackedBatch, TokenizedDataset};

use crate::TrainError;

/// Facts of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepFacts {
    /// Mean loss of the rows.
    pub loss: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
}

impl StepFacts {
    /// Refuses a loss or a gradient norm that is no number, and names the rows of step `step`, from
    /// 0, for whoever looks for the cause.
    pub fn check_finite(
        &self,
        step: u64,
        batches: &[PackedBatch],
        data: &TokenizedDataset,
    ) -> Result<(), TrainError> {
        if self.loss.is_finite() && self.grad_norm.is_finite() {
            return Ok(());
        }
        let rows = batches.iter().flat_map(|batch| &batch.rows).copied();
        let places = data.places(&rows.collect::<Vec<_>>())?.into_iter();
        let places: Vec<_> = places.map(|place| place.to_string()).collect();
        Err(TrainError::NotFinite {
            step: step + 1,
            loss: self.loss,
            gradient_norm: self.grad_norm,
            learning_rate: self.learning_rate,
            rows: places.join("; "),
        })
    }
}
