//! The backward pass of linear layers.

use burn::backend::{
    Autodiff, Backend,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use crate::{
    Activation, MatmulOptions,
    ops::{EncoderGradients, EncoderOps, Linear},
};

/// The node of a linear layer. Its parents are x, weight, and bias.
#[derive(Debug)]
struct Layer;

/// The values that the backward pass needs.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    /// Needed for the weight's gradient; `None` if the weight is frozen.
    x: Option<FloatTensor<B>>,
    /// Needed for the gradient of `x`; `None` if nothing below is trained.
    weight: Option<FloatTensor<B>>,
    /// The input of the activation, if there is one.
    sum: Option<FloatTensor<B>>,
    activation: Activation,
    matmul: MatmulOptions,
}

impl<B: EncoderGradients> Backward<B, 3> for Layer {
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
        if let (Some(node), Some(x)) = (weight, kept.x) {
            let weight = B::linear_weight_gradient(x, grad.clone(), kept.matmul.precision);
            grads.register::<B>(node.id, weight);
        }
        if let Some(node) = bias {
            grads.register::<B>(node.id, B::column_sums(grad.clone()));
        }
        if let (Some(node), Some(weight)) = (x, kept.weight) {
            let x = B::linear_input_gradient(grad, weight, kept.matmul);
            grads.register::<B>(node.id, x);
        }
    }
}

/// See [`EncoderOps::linear`].
pub(super) fn linear<B: EncoderGradients, C: CheckpointStrategy>(
    operation: Linear<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let Linear {
        x,
        weight,
        bias,
        activation,
        matmul,
    } = operation;
    let (needs_x, needs_weight) = (weight.is_tracked(), x.is_tracked());
    let (x, x_node) = x.into_parts();
    let (weight, weight_node) = weight.into_parts();
    let (bias, bias_node) = bias.into_parts();
    let operation = Linear::<B> {
        x,
        weight,
        bias,
        activation,
        matmul,
    };
    let prepared = Layer
        .prepare::<C>([x_node, weight_node, bias_node])
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(<B as EncoderOps>::linear(operation)),
        OpsKind::Tracked(prepared) => {
            let mut kept = Kept::<B> {
                x: needs_x.then(|| operation.x.clone()),
                weight: needs_weight.then(|| operation.weight.clone()),
                sum: None,
                activation,
                matmul: operation.matmul.clone(),
            };
            let result = match activation {
                Activation::Identity => <B as EncoderOps>::linear(operation),
                _ => {
                    let (result, sum) = B::linear_keeping(operation);
                    kept.sum = Some(sum);
                    result
                }
            };
            prepared.finish(kept, result)
        }
    }
}
