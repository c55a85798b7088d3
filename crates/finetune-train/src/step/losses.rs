//! The losses of a step's batches, which may still be on their way.

use burn::{Tensor, tensor::Transaction};

/// The losses of a step's batches. Each is divided by the denominator of the whole step, so that they add up
/// to its loss.
#[derive(Clone, Debug, Default)]
pub struct BatchLosses(Vec<Tensor<1>>);

impl BatchLosses {
    /// Adds the loss of a batch, `[1]`.
    pub(crate) fn push(&mut self, loss: Tensor<1>) {
        self.0.push(loss.inner());
    }

    /// Returns the losses, `[1]` each.
    pub(crate) fn tensors(&self) -> &[Tensor<1>] {
        &self.0
    }

    /// Waits for the device and returns the loss of the step; 0 without batches.
    pub fn total(&self) -> f64 {
        numbers(&self.0)
            .into_iter()
            .fold(0.0, |sum, loss| sum + loss)
    }
}

/// Waits for the device once and returns the values of tensors of one element.
pub(crate) fn numbers<'a>(tensors: impl IntoIterator<Item = &'a Tensor<1>>) -> Vec<f64> {
    let mut tensors = tensors.into_iter().cloned().peekable();
    if tensors.peek().is_none() {
        return Vec::new();
    }
    let read = tensors.fold(Transaction::default(), Transaction::register);
    let read = read.execute().into_iter();
    read.flat_map(|data| data.iter::<f64>().collect::<Vec<_>>())
        .collect()
}
