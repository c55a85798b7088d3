//! The backward pass of the cross-entropy over a vocabulary. Its gradients are computed in the forward
//! pass, since the logits, of which only a chunk is in memory at a time, would have to be computed again
//! in the backward pass.

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
use crate::ops::{EncoderGradients, EncoderOps, VocabularyCrossEntropy};

/// The node of the loss. Its parents are x, table, and bias.
#[derive(Debug)]
struct CrossEntropy;

impl<B: EncoderGradients> Backward<B, 3> for CrossEntropy {
    /// The gradients of the parents, for a gradient of 1.
    type State = [Option<FloatTensor<B>>; 3];

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
            .map(|gradient| gradient.map(|gradient| B::scaled(gradient, grad.clone())));
        register::<B>(grads, parents.into_iter().zip(found));
    }
}

/// See [`EncoderOps::vocabulary_cross_entropy`].
pub(super) fn vocabulary_cross_entropy<B: EncoderGradients, C: CheckpointStrategy>(
    operation: VocabularyCrossEntropy<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let VocabularyCrossEntropy {
        x,
        table,
        bias,
        targets,
        denominator,
        precision,
    } = operation;
    let wanted = [x.is_tracked(), table.is_tracked(), bias.is_tracked()];
    let (x, x_node) = x.into_parts();
    let (table, table_node) = table.into_parts();
    let (bias, bias_node) = bias.into_parts();
    let operation = VocabularyCrossEntropy::<B> {
        x,
        table,
        bias,
        targets,
        denominator,
        precision,
    };
    let prepared = CrossEntropy
        .prepare::<C>([x_node, table_node, bias_node])
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::UnTracked(prepared) => {
            prepared.finish(<B as EncoderOps>::vocabulary_cross_entropy(operation))
        }
        OpsKind::Tracked(prepared) => {
            let (loss, gradients) = B::vocabulary_gradients(operation, wanted);
            prepared.finish(gradients, loss)
        }
    }
}
