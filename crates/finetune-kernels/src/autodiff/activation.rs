//! The backward pass of activation functions.

use burn::backend::{
    Autodiff,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind, unary},
    },
    tensor::FloatTensor,
};

use crate::{Activation, ops::EncoderGradients};

#[derive(Debug)]
struct Activate;

impl<B: EncoderGradients> Backward<B, 1> for Activate {
    /// The input and the function.
    type State = (FloatTensor<B>, Activation);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let (x, activation) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            B::activation_gradient(x, grad, activation)
        });
    }
}

/// See [`EncoderOps::activate`](crate::ops::EncoderOps::activate).
pub(super) fn activate<B: EncoderGradients, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    activation: Activation,
) -> FloatTensor<Autodiff<B, C>> {
    let (x, node) = x.into_parts();
    match Activate.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::UnTracked(prepared) => prepared.finish(B::activate(x, activation)),
        OpsKind::Tracked(prepared) => {
            prepared.finish((x.clone(), activation), B::activate(x, activation))
        }
    }
}
