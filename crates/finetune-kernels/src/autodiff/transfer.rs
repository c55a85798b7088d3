//! The backward pass of attention transfer. Its gradients are computed in the forward pass, since the
//! probabilities, whose number grows with the square of the length, are not kept.

use burn::backend::{
    Autodiff,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use super::register;
use crate::ops::{AttentionTransfer, EncoderGradients, EncoderOps};

/// The node of the divergence. Its parents are the student's queries and keys.
#[derive(Debug)]
struct Transfer;

impl<B: EncoderGradients> Backward<B, 2> for Transfer {
    /// The gradients of the parents, for a gradient of 1.
    type State = [Option<FloatTensor<B>>; 2];

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
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

/// See [`EncoderOps::attention_transfer`].
pub(super) fn attention_transfer<B: EncoderGradients, C: CheckpointStrategy>(
    operation: AttentionTransfer<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let AttentionTransfer {
        query,
        key,
        teacher_query,
        teacher_key,
        offsets,
        heads,
        denominator,
    } = operation;
    let wanted = [query.is_tracked(), key.is_tracked()];
    let (query, query_node) = query.into_parts();
    let (key, key_node) = key.into_parts();
    let operation = AttentionTransfer::<B> {
        query,
        key,
        teacher_query: teacher_query.into_parts().0,
        teacher_key: teacher_key.into_parts().0,
        offsets,
        heads,
        denominator,
    };
    let prepared = Transfer
        .prepare::<C>([query_node, key_node])
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::UnTracked(prepared) => {
            prepared.finish(<B as EncoderOps>::attention_transfer(operation))
        }
        OpsKind::Tracked(prepared) => {
            let (loss, gradients) = B::attention_transfer_gradients(operation, wanted);
            prepared.finish(gradients, loss)
        }
    }
}
