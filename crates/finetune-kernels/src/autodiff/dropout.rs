//! The backward pass of dropout.

use burn::backend::{
    Autodiff,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind, unary},
    },
    tensor::FloatTensor,
};

use crate::{Dropout, ops::EncoderOps};

#[derive(Debug)]
struct Drop;

impl<B: EncoderOps> Backward<B, 1> for Drop {
    type State = Dropout;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let dropout = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            B::dropout(grad, dropout)
        });
    }
}

/// See [`EncoderOps::dropout`]. The same mask is applied to the gradient.
pub(super) fn dropout<B: EncoderOps, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    dropout: Dropout,
) -> FloatTensor<Autodiff<B, C>> {
    let (x, node) = x.into_parts();
    match Drop.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::UnTracked(prepared) => prepared.finish(B::dropout(x, dropout)),
        OpsKind::Tracked(prepared) => prepared.finish(dropout, B::dropout(x, dropout)),
    }
}
