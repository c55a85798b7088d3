use burn::backend::{
    Autodiff, Backend,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use crate::{AttentionShape, Dropout, EncoderGradients, EncoderOps};

/// Parents: query, key, value.
#[derive(Debug)]
struct Attention;

/// What enters; the probabilities are computed again. They grow with the square of the length, and
/// cost a small part of the linear layers around them.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    value: FloatTensor<B>,
    shape: AttentionShape,
    dropout: Dropout,
}

impl<B: EncoderGradients> Backward<B, 3> for Attention {
    type State = Kept<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let kept = ops.state;
        let inputs = [kept.query, kept.key, kept.value];
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = B::attention_gradients(inputs, grad, &kept.shape, kept.dropout, wanted);
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// See [`EncoderOps::attention`].
pub(super) fn attention<B: EncoderGradients, C: CheckpointStrategy>(
    query: FloatTensor<Autodiff<B, C>>,
    key: FloatTensor<Autodiff<B, C>>,
    value: FloatTensor<Autodiff<B, C>>,
    shape: AttentionShape,
    dropout: Dropout,
) -> FloatTensor<Autodiff<B, C>> {
    let (query, query_node) = query.into_parts();
    let (key, key_node) = key.into_parts();
    let (value, value_node) = value.into_parts();
    let prepared = Attention
        .prepare::<C>([query_node, key_node, value_node])
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(<B as EncoderOps>::attention(
            query, key, value, shape, dropout,
        )),
        OpsKind::Tracked(prepared) => {
            let kept = Kept::<B> {
                query: query.clone(),
                key: key.clone(),
                value: value.clone(),
                shape: shape.clone(),
                dropout,
            };
            prepared.finish(
                kept,
                <B as EncoderOps>::attention(query, key, value, shape, dropout),
            )
        }
    }
}
