use burn::backend::{
    Autodiff, Backend,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use crate::{Dropout, EncoderGradients, NormGradients, Normal};

/// Parents: x, residual, gamma, beta.
#[derive(Debug)]
struct DropoutResidualNorm;

/// What the backward pass needs.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    normal: Normal<B>,
    gamma: FloatTensor<B>,
    dropout: Dropout,
}

impl<B: EncoderGradients> Backward<B, 4> for DropoutResidualNorm {
    type State = Kept<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 4>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let Kept {
            normal,
            gamma,
            dropout,
        } = ops.state;
        let [x, residual, gamma_node, beta] = ops.parents;
        let wanted = NormGradients {
            x: x.is_some(),
            residual: residual.is_some(),
            gamma: gamma_node.is_some(),
            beta: beta.is_some(),
        };
        let found = B::norm_gradients(normal, gamma, grad, dropout, wanted);
        let pairs = [
            (x, found.x),
            (residual, found.residual),
            (gamma_node, found.gamma),
            (beta, found.beta),
        ];
        for (node, gradient) in pairs {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// See [`EncoderOps::dropout_residual_norm`](crate::EncoderOps::dropout_residual_norm).
pub(super) fn dropout_residual_norm<B: EncoderGradients, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    residual: FloatTensor<Autodiff<B, C>>,
    gamma: FloatTensor<Autodiff<B, C>>,
    beta: FloatTensor<Autodiff<B, C>>,
    epsilon: f64,
    dropout: Dropout,
) -> FloatTensor<Autodiff<B, C>> {
    let (x, x_node) = x.into_parts();
    let (residual, residual_node) = residual.into_parts();
    let (gamma, gamma_node) = gamma.into_parts();
    let (beta, beta_node) = beta.into_parts();
    let prepared = DropoutResidualNorm
        .prepare::<C>([x_node, residual_node, gamma_node, beta_node])
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(B::dropout_residual_norm(
            x, residual, gamma, beta, epsilon, dropout,
        )),
        OpsKind::Tracked(prepared) => {
            let (result, normal) = B::dropout_residual_norm_with_normal(
                x,
                residual,
                gamma.clone(),
                beta,
                epsilon,
                dropout,
            );
            let kept = Kept {
                normal,
                gamma,
                dropout,
            };
            prepared.finish(kept, result)
        }
    }
}
