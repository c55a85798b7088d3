//! The backward pass of pooling.

use burn::backend::{
    Autodiff, Backend,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind, unary},
    },
    tensor::FloatTensor,
};

use crate::{
    Offsets,
    ops::{EncoderGradients, EncoderOps, Pool, PoolMaximum, Pooling},
};

#[derive(Debug)]
struct PoolRows;

/// The values that the backward pass needs.
#[derive(Clone, Debug)]
enum Kept<B: Backend> {
    First(Offsets),
    Mean(Offsets),
    Max(Offsets, PoolMaximum<B>),
}

impl<B: EncoderGradients> Backward<B, 1> for PoolRows {
    type State = Kept<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let kept = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| match kept {
            Kept::First(offsets) => {
                let places = offsets.first_rows().into();
                B::scatter_rows(grad, places, offsets.num_tokens())
            }
            Kept::Mean(offsets) => B::pool_mean_gradient(grad, offsets),
            Kept::Max(offsets, kept) => B::pool_max_gradient(kept, grad, offsets),
        });
    }
}

/// See [`EncoderOps::pool`].
pub(super) fn pool<B: EncoderGradients, C: CheckpointStrategy>(
    operation: Pool<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let Pool {
        x,
        offsets,
        pooling,
    } = operation;
    let (x, node) = x.into_parts();
    let operation = Pool::<B> {
        x,
        offsets: offsets.clone(),
        pooling,
    };
    match PoolRows.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::UnTracked(prepared) => prepared.finish(<B as EncoderOps>::pool(operation)),
        OpsKind::Tracked(prepared) => match pooling {
            Pooling::First => prepared.finish(Kept::First(offsets), B::pool(operation)),
            Pooling::Mean => prepared.finish(Kept::Mean(offsets), B::pool(operation)),
            Pooling::Max => {
                let x = operation.x.clone();
                let result = <B as EncoderOps>::pool(operation);
                let kept = PoolMaximum {
                    x,
                    result: result.clone(),
                };
                prepared.finish(Kept::Max(offsets, kept), result)
            }
        },
    }
}
