//! The backward pass of the cross-entropy over a vocabulary. Its gradients are computed in the forward
//! pass, since the logits, of which only a chunk is in memory at a time, would have to be computed again
//! in the backward pass.

use burn::backend::{
    Autodiff,
    autodiff::{
        checkpoint::strategy::CheckpointStrategy,
        ops::{Backward, OpsKind},
    },
    tensor::FloatTensor,
};

use super::computed::Computed;
use crate::ops::{EncoderGradients, EncoderOps, VocabularyCrossEntropy};

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
    let prepared = Computed
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
