//! The backward pass of dropout with a residual connection.

use burn::backend::{
    Autodiff,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind, binary},
    },
    tensor::FloatTensor,
};

use crate::{
    Dropout,
    ops::{DropoutResidual, EncoderGradients, EncoderOps},
};

/// The node of the sum. Its parents are x and residual.
#[derive(Debug)]
struct Add;

impl<B: EncoderGradients> Backward<B, 2> for Add {
    type State = Dropout;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let dropout = ops.state;
        binary::<B, _, _>(
            ops.parents,
            ops.node,
            grads,
            |grad| B::dropout(grad, dropout),
            |grad| grad,
        );
    }
}

/// See [`EncoderOps::dropout_residual`].
pub(super) fn dropout_residual<B: EncoderGradients, C: CheckpointStrategy>(
    operation: DropoutResidual<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let DropoutResidual {
        x,
        residual,
        dropout,
    } = operation;
    let (x, x_node) = x.into_parts();
    let (residual, residual_node) = residual.into_parts();
    let result = <B as EncoderOps>::dropout_residual(DropoutResidual {
        x,
        residual,
        dropout,
    });
    let nodes = [x_node, residual_node];
    match Add.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::UnTracked(prepared) => prepared.finish(result),
        OpsKind::Tracked(prepared) => prepared.finish(dropout, result),
    }
}
