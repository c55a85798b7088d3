//! The backward pass of matrix multiplications.

use burn::backend::{
    Autodiff, Backend,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use crate::ops::{EncoderGradients, MatmulOptions};

/// The node of a multiplication. Its parents are a and b.
#[derive(Debug)]
struct Matmul;

/// The values that the backward pass needs.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    /// Needed for the gradient of `b`.
    a: Option<FloatTensor<B>>,
    /// Needed for the gradient of `a`.
    b: Option<FloatTensor<B>>,
    options: MatmulOptions,
}

impl<B: EncoderGradients> Backward<B, 2> for Matmul {
    type State = Kept<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let Kept { a, b, options } = ops.state;
        let [a_node, b_node] = ops.parents;
        if let (Some(node), Some(a)) = (b_node, a) {
            let gradient = B::linear_weight_gradient(a, grad.clone(), options.precision);
            grads.register::<B>(node.id, gradient);
        }
        if let (Some(node), Some(b)) = (a_node, b) {
            let gradient = B::linear_input_gradient(grad, b, options);
            grads.register::<B>(node.id, gradient);
        }
    }
}

/// See [`EncoderOps::matmul`](crate::ops::EncoderOps::matmul).
pub(super) fn matmul<B: EncoderGradients, C: CheckpointStrategy>(
    a: FloatTensor<Autodiff<B, C>>,
    b: FloatTensor<Autodiff<B, C>>,
    options: MatmulOptions,
) -> FloatTensor<Autodiff<B, C>> {
    let (needs_a, needs_b) = (b.is_tracked(), a.is_tracked());
    let (a, a_node) = a.into_parts();
    let (b, b_node) = b.into_parts();
    let prepared = Matmul
        .prepare::<C>([a_node, b_node])
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(B::matmul(a, b, options)),
        OpsKind::Tracked(prepared) => {
            let kept = Kept::<B> {
                a: needs_a.then(|| a.clone()),
                b: needs_b.then(|| b.clone()),
                options: options.clone(),
            };
            prepared.finish(kept, B::matmul(a, b, options))
        }
    }
}
