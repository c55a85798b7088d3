//! The backward pass of losses whose gradients are computed in the forward pass, since what they are made
//! of would have to be computed again in the backward pass.

use burn::backend::{
    autodiff::{
        checkpoint::base::Checkpointer,
        grads::Gradients,
        ops::{Backward, Ops},
    },
    tensor::FloatTensor,
};

use super::register;
use crate::ops::EncoderGradients;

/// The node of a loss.
#[derive(Debug)]
pub(super) struct Computed;

impl<B: EncoderGradients, const N: usize> Backward<B, N> for Computed {
    /// The gradients of the parents, for a gradient of 1.
    type State = [Option<FloatTensor<B>>; N];

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let parents = ops.parents.map(|node| node.map(|node| node.id));
        let found = ops
            .state
            .map(|gradient| gradient.map(|gradient| B::scaled(gradient, grad.clone())));
        register::<B>(grads, parents.into_iter().zip(found));
    }
}
