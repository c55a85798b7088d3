use burn::{
    backend::{
        Autodiff, Backend, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        tensor::FloatTensor,
    },
    tensor::Shape,
};

use crate::{Activation, EncoderOps};

/// Parents: x, weight, bias.
#[derive(Debug)]
struct Linear;

/// What the backward pass needs.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    /// For the weight's gradient; `None` for a frozen weight.
    x: Option<FloatTensor<B>>,
    /// For the gradient of `x`; `None` if nothing below is trained.
    weight: Option<FloatTensor<B>>,
    /// What enters the activation, if there is one.
    sum: Option<FloatTensor<B>>,
    activation: Activation,
}

impl<B: EncoderOps> Backward<B, 3> for Linear {
    type State = Kept<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let mut grad = grads.consume::<B>(&ops.node);
        let kept = ops.state;
        if let Some(sum) = kept.sum {
            grad = B::activation_gradient(sum, grad, kept.activation);
        }
        let [x, weight, bias] = ops.parents;
        let transpose = |matrix| B::float_swap_dims(matrix, 0, 1);
        if let (Some(node), Some(x)) = (weight, kept.x) {
            grads.register::<B>(node.id, B::float_matmul(transpose(x), grad.clone()));
        }
        if let Some(node) = bias {
            grads.register::<B>(node.id, column_sums::<B>(grad.clone()));
        }
        if let (Some(node), Some(weight)) = (x, kept.weight) {
            grads.register::<B>(node.id, B::float_matmul(grad, transpose(weight)));
        }
    }
}

/// `[rows, columns]` to `[columns]`.
pub(super) fn column_sums<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let columns = x.shape()[1];
    B::float_reshape(B::float_sum_dim(x, 0), Shape::new([columns]))
}

/// See [`EncoderOps::linear`].
pub(super) fn linear<B: EncoderOps, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    activation: Activation,
) -> FloatTensor<Autodiff<B, C>> {
    let (needs_x, needs_weight) = (weight.is_tracked(), x.is_tracked());
    let (x, x_node) = x.into_parts();
    let (weight, weight_node) = weight.into_parts();
    let (bias, bias_node) = bias.into_parts();
    let prepared = Linear
        .prepare::<C>([x_node, weight_node, bias_node])
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::UnTracked(prepared) => {
            prepared.finish(<B as EncoderOps>::linear(x, weight, bias, activation))
        }
        OpsKind::Tracked(prepared) => {
            let mut kept = Kept::<B> {
                x: needs_x.then(|| x.clone()),
                weight: needs_weight.then(|| weight.clone()),
                sum: None,
                activation,
            };
            let mut result = <B as EncoderOps>::linear(x, weight, bias, Activation::Identity);
            if activation != Activation::Identity {
                kept.sum = Some(result.clone());
                result = B::activate(result, activation);
            }
            prepared.finish(kept, result)
        }
    }
}
