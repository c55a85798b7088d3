//! The backward pass of attention.

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
use crate::ops::{Attention, AttentionBackward, EncoderGradients, EncoderOps};

/// The node of attention. Its parents are query, key, and value.
#[derive(Debug)]
struct Attend;

impl<B: EncoderGradients> Backward<B, 3> for Attend {
    type State = B::AttentionKept;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let parents = ops.parents.map(|node| node.map(|node| node.id));
        let found = ops
            .state
            .gradients(grad, parents.map(|node| node.is_some()));
        register::<B>(grads, parents.into_iter().zip(found));
    }
}

/// See [`EncoderOps::attention`].
pub(super) fn attention<B: EncoderGradients, C: CheckpointStrategy>(
    operation: Attention<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let (query, query_node) = operation.query.into_parts();
    let (key, key_node) = operation.key.into_parts();
    let (value, value_node) = operation.value.into_parts();
    let operation = Attention::<B> {
        query,
        key,
        value,
        shape: operation.shape,
        dropout: operation.dropout,
    };
    let prepared = Attend
        .prepare::<C>([query_node, key_node, value_node])
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(<B as EncoderOps>::attention(operation)),
        OpsKind::Tracked(prepared) => {
            let (result, kept) = B::AttentionKept::attention(operation);
            prepared.finish(kept, result)
        }
    }
}
