use burn::backend::{
    Autodiff, Backend,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use crate::{Dropout, EncoderOps, Offsets, portable::Heads};

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
    offsets: Offsets,
    heads: usize,
    dropout: Dropout,
}

impl<B: Backend> Backward<B, 3> for Attention {
    type State = Kept<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let kept = ops.state;
        let [query_node, key_node, value_node] = ops.parents;
        let transpose = |x| B::float_swap_dims(x, 2, 3);

        let layout = Heads::<B>::new(&grad, &kept.offsets, kept.heads);
        let grad = B::float_mul(layout.split(grad), layout.query_mask());
        let (query, key) = (layout.split(kept.query), layout.split(kept.key));
        let probabilities = layout.probabilities(query.clone(), key.clone());
        let factors = layout.dropout_factors(&kept.offsets, kept.dropout, &probabilities);
        let dropped = |x: FloatTensor<B>| match &factors {
            Some(factors) => B::float_mul(x, factors.clone()),
            None => x,
        };

        if let Some(node) = value_node {
            let dropped = transpose(dropped(probabilities.clone()));
            let value = layout.merge(B::float_matmul(dropped, grad.clone()));
            grads.register::<B>(node.id, value);
        }
        if query_node.is_none() && key_node.is_none() {
            return;
        }
        let value = transpose(layout.split(kept.value));
        let grad = dropped(B::float_matmul(grad, value));
        drop(factors);
        // Of the softmax: p · (g - sum(g · p)).
        let weighted = B::float_mul(grad, probabilities.clone());
        let sum = B::float_sum_dim(weighted.clone(), 3);
        let scores = B::float_sub(weighted, B::float_mul(probabilities, sum));
        let scores = B::float_mul_scalar(scores, layout.scale().into());
        if let Some(node) = key_node {
            let key = layout.merge(B::float_matmul(transpose(scores.clone()), query));
            grads.register::<B>(node.id, key);
        }
        if let Some(node) = query_node {
            let query = layout.merge(B::float_matmul(scores, key));
            grads.register::<B>(node.id, query);
        }
    }
}

/// See [`EncoderOps::attention`].
pub(super) fn attention<B: EncoderOps, C: CheckpointStrategy>(
    query: FloatTensor<Autodiff<B, C>>,
    key: FloatTensor<Autodiff<B, C>>,
    value: FloatTensor<Autodiff<B, C>>,
    offsets: Offsets,
    heads: usize,
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
            query, key, value, offsets, heads, dropout,
        )),
        OpsKind::Tracked(prepared) => {
            let kept = Kept::<B> {
                query: query.clone(),
                key: key.clone(),
                value: value.clone(),
                offsets: offsets.clone(),
                heads,
                dropout,
            };
            prepared.finish(
                kept,
                <B as EncoderOps>::attention(query, key, value, offsets, heads, dropout),
            )
        }
    }
}
