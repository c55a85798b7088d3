//! The backward pass of attention transfer. Its gradients are computed in the forward pass, since the
//! probabilities, whose number grows with the square of the length, are not kept.

use burn::backend::{
    Autodiff,
    autodiff::{
        checkpoint::strategy::CheckpointStrategy,
        ops::{Backward, OpsKind},
    },
    tensor::FloatTensor,
};

use super::computed::Computed;
use crate::ops::{AttentionTransfer, EncoderGradients, EncoderOps};

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
    let prepared = Computed
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
