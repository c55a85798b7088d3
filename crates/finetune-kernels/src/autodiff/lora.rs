//! The backward pass of linear layers with low-rank adaptation.

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
    Activation, Dropout, MatmulOptions,
    ops::{EncoderGradients, Linear, Lora},
};

/// The node of an adapted layer. Its parents are x, weight, bias, a, and b.
#[derive(Debug)]
struct AdaptedLayer;

/// The values that the backward pass needs. The dropout mask of the input is drawn again.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    /// Needed for the gradients of the weight and of `a`.
    x: Option<FloatTensor<B>>,
    /// Needed with `a` for the gradient of `x`.
    weight: Option<FloatTensor<B>>,
    a: Option<FloatTensor<B>>,
    /// Needed for the gradients of `a` and of `x`.
    b: Option<FloatTensor<B>>,
    /// `scaling · dropout(x) · a`, needed for the gradient of `b`.
    reduced: Option<FloatTensor<B>>,
    /// The input of the activation, if there is one.
    sum: Option<FloatTensor<B>>,
    activation: Activation,
    scaling: f64,
    dropout: Dropout,
    matmul: MatmulOptions,
}

impl<B: EncoderGradients> Backward<B, 5> for AdaptedLayer {
    type State = Kept<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 5>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let mut grad = grads.consume::<B>(&ops.node);
        let kept = ops.state;
        let precision = kept.matmul.precision;
        if let Some(sum) = kept.sum {
            grad = B::activation_gradient(sum, grad, kept.activation);
        }
        let [x, weight, bias, a, b] = ops.parents;
        if let Some(node) = bias {
            grads.register::<B>(node.id, B::column_sums(grad.clone()));
        }
        if let (Some(node), Some(x)) = (weight, &kept.x) {
            let weight = B::linear_weight_gradient(x.clone(), grad.clone(), precision);
            grads.register::<B>(node.id, weight);
        }
        if let (Some(node), Some(reduced)) = (b, kept.reduced) {
            let b = B::linear_weight_gradient(reduced, grad.clone(), precision);
            grads.register::<B>(node.id, b);
        }
        let Some(b) = kept.b else { return };
        let reduced = B::linear_input_gradient(grad.clone(), b, precision.into());
        let reduced = B::float_mul_scalar(reduced, kept.scaling.into());
        if let (Some(node), Some(x)) = (a, kept.x) {
            let x = B::dropout(x, kept.dropout);
            let a = B::linear_weight_gradient(x, reduced.clone(), precision);
            grads.register::<B>(node.id, a);
        }
        if let (Some(node), Some(weight), Some(a)) = (x, kept.weight, kept.a) {
            let adapter = B::linear_input_gradient(reduced, a, precision.into());
            let adapter = B::dropout(adapter, kept.dropout);
            let base = B::linear_input_gradient(grad, weight, kept.matmul);
            grads.register::<B>(node.id, B::float_add(base, adapter));
        }
    }
}

/// See [`EncoderOps::lora`](crate::ops::EncoderOps::lora).
pub(super) fn lora<B: EncoderGradients, C: CheckpointStrategy>(
    operation: Lora<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let Lora {
        linear,
        a,
        b,
        scaling,
        dropout,
    } = operation;
    let [tracked_x, tracked_weight] = [&linear.x, &linear.weight].map(|x| x.is_tracked());
    let [tracked_a, tracked_b] = [&a, &b].map(|x| x.is_tracked());
    let (x, x_node) = linear.x.into_parts();
    let (weight, weight_node) = linear.weight.into_parts();
    let (bias, bias_node) = linear.bias.into_parts();
    let (a, a_node) = a.into_parts();
    let (b, b_node) = b.into_parts();
    let activation = linear.activation;
    let prepared = AdaptedLayer
        .prepare::<C>([x_node, weight_node, bias_node, a_node, b_node])
        .compute_bound()
        .stateful();
    let mut kept = Kept::<B> {
        x: (tracked_weight || tracked_a).then(|| x.clone()),
        weight: tracked_x.then(|| weight.clone()),
        a: tracked_x.then(|| a.clone()),
        b: (tracked_a || tracked_x).then(|| b.clone()),
        reduced: None,
        sum: None,
        activation,
        scaling,
        dropout,
        matmul: linear.matmul.clone(),
    };
    let (sum, reduced) = B::lora_keeping(Lora {
        linear: Linear {
            x,
            weight,
            bias,
            activation,
            matmul: linear.matmul,
        },
        a,
        b,
        scaling,
        dropout,
    });
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(B::activate(sum, activation)),
        OpsKind::Tracked(prepared) => {
            kept.reduced = tracked_b.then_some(reduced);
            if activation != Activation::Identity {
                kept.sum = Some(sum.clone());
            }
            prepared.finish(kept, B::activate(sum, activation))
        }
    }
}
