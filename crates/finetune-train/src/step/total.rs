//! The loss and the gradients of a step, added up over its batches.

use burn::Tensor;
use finetune_kernels::UsedRows;
use finetune_models::Described;

use crate::{BatchLosses, ParameterGradients};

/// The sums over the batches of a step so far.
#[derive(Debug, Default)]
pub(crate) struct StepTotal {
    losses: BatchLosses,
    gradients: Option<ParameterGradients>,
}

impl StepTotal {
    /// Runs the backward pass of a batch's `loss` (`[1]`) and adds the results. `used` holds the rows of
    /// the word table that take part, if no others do.
    pub fn add<M: Described>(&mut self, loss: Tensor<1>, model: &M, used: Option<UsedRows>) {
        let gradients = ParameterGradients::backward_of_rows(&loss, model, used);
        self.losses.push(loss);
        self.gradients = Some(match self.gradients.take() {
            None => gradients,
            Some(sum) => sum + gradients,
        });
    }

    /// Returns losses and gradients, or `None` if there was no batch.
    pub fn finish(self) -> Option<(BatchLosses, ParameterGradients)> {
        self.gradients.map(|gradients| (self.losses, gradients))
    }
}
