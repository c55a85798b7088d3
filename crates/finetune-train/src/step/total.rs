//! The loss and the gradients of a step, added up over its batches.

use burn::Tensor;
use finetune_kernels::UsedRows;
use finetune_models::Described;

use crate::ParameterGradients;

/// The sums over the batches of a step so far.
#[derive(Debug, Default)]
pub(crate) struct StepTotal {
    loss: f64,
    gradients: Option<ParameterGradients>,
}

impl StepTotal {
    /// Runs the backward pass of a batch's `loss` (`[1]`) and adds the results. `used` holds the rows of
    /// the word table that take part, if no others do.
    pub fn add<M: Described>(&mut self, loss: Tensor<1>, model: &M, used: Option<UsedRows>) {
        let gradients = ParameterGradients::backward_of_rows(&loss, model, used);
        self.loss += f64::from(loss.into_scalar::<f32>());
        self.gradients = Some(match self.gradients.take() {
            None => gradients,
            Some(sum) => sum + gradients,
        });
    }

    /// Returns loss and gradients, or `None` if there was no batch.
    pub fn finish(self) -> Option<(f64, ParameterGradients)> {
        self.gradients.map(|gradients| (self.loss, gradients))
    }
}
