//! The backward passes of layer norms, with dropout and a residual connection and alone.

use burn::backend::{
    Autodiff,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use super::register;
use crate::{
    Dropout,
    ops::{DropoutResidualNorm, EncoderGradients, LayerNorm, Norm, NormBackward, NormGradients},
};

/// The node of the norm. Its parents are x, residual, gamma, and beta.
#[derive(Debug)]
struct AddAndNormalize;

impl<B: EncoderGradients> Backward<B, 4> for AddAndNormalize {
    type State = (B::NormKept, Dropout);

    fn backward(
        self,
        ops: Ops<Self::State, 4>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let (kept, dropout) = ops.state;
        let [x, residual, gamma, beta] = ops.parents.map(|node| node.map(|node| node.id));
        let wanted = NormGradients {
            x: x.is_some(),
            residual: residual.is_some(),
            gamma: gamma.is_some(),
            beta: beta.is_some(),
        };
        let found = kept.gradients(grad, dropout, wanted);
        let pairs = [
            (x, found.x),
            (residual, found.residual),
            (gamma, found.gamma),
            (beta, found.beta),
        ];
        register::<B>(grads, pairs);
    }
}

/// See [`EncoderOps::dropout_residual_norm`](crate::ops::EncoderOps::dropout_residual_norm).
pub(super) fn dropout_residual_norm<B: EncoderGradients, C: CheckpointStrategy>(
    operation: DropoutResidualNorm<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let DropoutResidualNorm {
        x,
        residual,
        norm,
        dropout,
    } = operation;
    let (x, x_node) = x.into_parts();
    let (residual, residual_node) = residual.into_parts();
    let (gamma, gamma_node) = norm.gamma.into_parts();
    let (beta, beta_node) = norm.beta.into_parts();
    let operation = DropoutResidualNorm::<B> {
        x,
        residual,
        norm: Norm {
            gamma,
            beta,
            epsilon: norm.epsilon,
        },
        dropout,
    };
    let prepared = AddAndNormalize
        .prepare::<C>([x_node, residual_node, gamma_node, beta_node])
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(B::dropout_residual_norm(operation)),
        OpsKind::Tracked(prepared) => {
            let (result, kept) = B::NormKept::dropout_residual_norm(operation);
            prepared.finish((kept, dropout), result)
        }
    }
}

/// The node of a norm alone. Its parents are x, gamma, and beta.
#[derive(Debug)]
struct Normalize;

impl<B: EncoderGradients> Backward<B, 3> for Normalize {
    type State = B::NormKept;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, gamma, beta] = ops.parents.map(|node| node.map(|node| node.id));
        let wanted = NormGradients {
            x: false,
            residual: x.is_some(),
            gamma: gamma.is_some(),
            beta: beta.is_some(),
        };
        let found = ops.state.gradients(grad, Dropout::NONE, wanted);
        let pairs = [
            (x, found.residual),
            (gamma, found.gamma),
            (beta, found.beta),
        ];
        register::<B>(grads, pairs);
    }
}

/// See [`EncoderOps::norm`](crate::ops::EncoderOps::norm).
pub(super) fn layer_norm<B: EncoderGradients, C: CheckpointStrategy>(
    operation: LayerNorm<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let LayerNorm { x, norm } = operation;
    let (x, x_node) = x.into_parts();
    let (gamma, gamma_node) = norm.gamma.into_parts();
    let (beta, beta_node) = norm.beta.into_parts();
    let operation = LayerNorm::<B> {
        x,
        norm: Norm {
            gamma,
            beta,
            epsilon: norm.epsilon,
        },
    };
    let prepared = Normalize
        .prepare::<C>([x_node, gamma_node, beta_node])
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(B::norm(operation)),
        OpsKind::Tracked(prepared) => {
            let (result, kept) = B::NormKept::layer_norm(operation);
            prepared.finish(kept, result)
        }
    }
}
