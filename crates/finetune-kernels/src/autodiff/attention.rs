use burn::backend::{
    Autodiff, Backend,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use crate::{AttentionShape, Dropout, EncoderOps, portable::Heads};

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

        let heads = Heads::<B>::new(&grad, &kept.shape);
        let (queries, keys) = (&heads.queries, &heads.keys);
        let grad = B::float_mul(queries.split(grad), queries.row_mask());
        let (query, key) = (queries.split(kept.query), keys.split(kept.key));
        let probabilities = heads.probabilities(query.clone(), key.clone());
        let factors = heads.dropout_factors(&kept.shape, kept.dropout, &probabilities);
        let dropped = |x: FloatTensor<B>| match &factors {
            Some(factors) => B::float_mul(x, factors.clone()),
            None => x,
        };

        if let Some(node) = value_node {
            let dropped = transpose(dropped(probabilities.clone()));
            let value = keys.merge(B::float_matmul(dropped, grad.clone()));
            grads.register::<B>(node.id, value);
        }
        if query_node.is_none() && key_node.is_none() {
            return;
        }
        let value = transpose(keys.split(kept.value));
        let grad = dropped(B::float_matmul(grad, value));
        drop(factors);
        // Of the softmax: p · (g - sum(g · p)).
        let weighted = B::float_mul(grad, probabilities.clone());
        let sum = B::float_sum_dim(weighted.clone(), 3);
        let scores = B::float_sub(weighted, B::float_mul(probabilities, sum));
        let scores = B::float_mul_scalar(scores, heads.scale().into());
        if let Some(node) = key_node {
            let key = keys.merge(B::float_matmul(transpose(scores.clone()), query));
            grads.register::<B>(node.id, key);
        }
        if let Some(node) = query_node {
            let query = queries.merge(B::float_matmul(scores, key));
            grads.register::<B>(node.id, query);
        }
    }
}

/// See [`EncoderOps::attention`].
pub(super) fn attention<B: EncoderOps, C: CheckpointStrategy>(
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
