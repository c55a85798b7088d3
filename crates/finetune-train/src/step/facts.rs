//! The figures of a step.

use finetune_data::TokenizedDataset;

use crate::TrainError;

/// The figures of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepFacts {
    /// Mean loss of the step's rows.
    pub loss: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// The step's rows.
    pub rows: Vec<u64>,
    /// Number of their tokens.
    pub tokens: u64,
    /// Time that the step took.
    pub seconds: f64,
}

impl StepFacts {
    /// Checks that the loss and the gradient norm of step `step`, counted from 0, are finite.
    ///
    /// # Errors
    /// Fails with [`TrainError::NotFinite`], which names the step's rows to help find the cause.
    pub fn check_finite(&self, step: u64, data: &TokenizedDataset) -> Result<(), TrainError> {
        if self.loss.is_finite() && self.grad_norm.is_finite() {
            return Ok(());
        }
        let places = data.places(&self.rows)?.into_iter();
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
