//! The norm of a step's gradients, and the factor that clips them.

use finetune_infer::Workers;
use finetune_kernels::{Factor, clipping};

use crate::{ParameterGradients, clip_factor, step::gradient::Gradient};

/// The norm of a step's gradients, and the factor that clips them. A device that works by itself keeps both, so
/// that nothing waits for them.
#[derive(Clone, Debug)]
pub(crate) struct Clipping {
    /// The L2 norm of all gradients together.
    pub norm: Factor,
    /// The factor of the gradients.
    pub factor: Factor,
}

impl ParameterGradients {
    /// Returns what clips these gradients to a norm of `max_norm`, as `torch.nn.utils.clip_grad_norm_` does.
    pub(crate) fn clipping(&self, max_norm: f64) -> Clipping {
        let gradients: Vec<&Gradient> = self.values().collect();
        let first = gradients.first();
        if first.is_some_and(|first| Workers::of(&first.device()).are_asynchronous()) {
            let gradients = gradients.into_iter().map(Gradient::elements).collect();
            if let Some([norm, factor]) = clipping(gradients, max_norm) {
                return Clipping {
                    norm: Factor::Device(norm),
                    factor: Factor::Device(factor),
                };
            }
        }
        let norm = self.global_norm();
        Clipping {
            norm: norm.into(),
            factor: clip_factor(norm, max_norm).into(),
        }
    }
}
