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

use crate::{
    Dropout, EncoderOps,
    portable::{Normal, column_sums, normalise, scale_and_shift},
};

/// What the backward pass of a norm needs.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    normal: Normal<B>,
    gamma: FloatTensor<B>,
    dropout: Dropout,
}

impl<B: Backend> Kept<B> {
    /// The gradient of what was normalised: with `g = grad · gamma`,
    /// `(g - mean(g) - normal · mean(g · normal)) / deviation`.
    fn gradient(self, grad: FloatTensor<B>) -> FloatTensor<B> {
        let Normal { normal, deviation } = self.normal;
        let row = Shape::new([1, self.gamma.shape()[0]]);
        let grad = B::float_mul(grad, B::float_reshape(self.gamma, row));
        let mean = B::float_mean_dim(grad.clone(), 1);
        let along = B::float_mean_dim(B::float_mul(grad.clone(), normal.clone()), 1);
        let shift = B::float_mul(normal, along);
        let centred = B::float_sub(B::float_sub(grad, mean), shift);
        B::float_div(centred, deviation)
    }

    /// The gradient of gamma.
    fn gamma_gradient(&self, grad: FloatTensor<B>) -> FloatTensor<B> {
        column_sums::<B>(B::float_mul(grad, self.normal.normal.clone()))
    }
}

/// Parents: x, residual, gamma, beta.
#[derive(Debug)]
struct DropoutResidualNorm;

impl<B: EncoderOps> Backward<B, 4> for DropoutResidualNorm {
    type State = Kept<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 4>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let kept = ops.state;
        let dropout = kept.dropout;
        let [x, residual, gamma, beta] = ops.parents;
        if let Some(node) = gamma {
            grads.register::<B>(node.id, kept.gamma_gradient(grad.clone()));
        }
        if let Some(node) = beta {
            grads.register::<B>(node.id, column_sums::<B>(grad.clone()));
        }
        if x.is_none() && residual.is_none() {
            return;
        }
        let grad = kept.gradient(grad);
        if let Some(node) = residual {
            grads.register::<B>(node.id, grad.clone());
        }
        if let Some(node) = x {
            grads.register::<B>(node.id, dropped::<B>(grad, dropout));
        }
    }
}

/// See [`EncoderOps::dropout_residual_norm`].
pub(super) fn dropout_residual_norm<B: EncoderOps, C: CheckpointStrategy>(
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
            let sum = B::float_add(dropped::<B>(x, dropout), residual);
            let normal = normalise::<B>(sum, epsilon);
            let result = scale_and_shift::<B>(normal.normal.clone(), gamma.clone(), beta);
            let kept = Kept {
                normal,
                gamma,
                dropout,
            };
            prepared.finish(kept, result)
        }
    }
}

/// Parents: x, gamma, beta.
#[derive(Debug)]
struct NormDropout;

impl<B: EncoderOps> Backward<B, 3> for NormDropout {
    type State = Kept<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let kept = ops.state;
        let grad = dropped::<B>(grads.consume::<B>(&ops.node), kept.dropout);
        let [x, gamma, beta] = ops.parents;
        if let Some(node) = gamma {
            grads.register::<B>(node.id, kept.gamma_gradient(grad.clone()));
        }
        if let Some(node) = beta {
            grads.register::<B>(node.id, column_sums::<B>(grad.clone()));
        }
        if let Some(node) = x {
            grads.register::<B>(node.id, kept.gradient(grad));
        }
    }
}

/// `dropout(norm(x))`: the end of [`EncoderOps::embedding_norm`].
pub(super) fn norm_dropout<B: EncoderOps, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    gamma: FloatTensor<Autodiff<B, C>>,
    beta: FloatTensor<Autodiff<B, C>>,
    epsilon: f64,
    dropout: Dropout,
) -> FloatTensor<Autodiff<B, C>> {
    let (x, x_node) = x.into_parts();
    let (gamma, gamma_node) = gamma.into_parts();
    let (beta, beta_node) = beta.into_parts();
    let normal = normalise::<B>(x, epsilon);
    let result = scale_and_shift::<B>(normal.normal.clone(), gamma.clone(), beta);
    let result = dropped::<B>(result, dropout);
    let prepared = NormDropout
        .prepare::<C>([x_node, gamma_node, beta_node])
        .compute_bound()
        .stateful();
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(result),
        OpsKind::Tracked(prepared) => {
            let kept = Kept {
                normal,
                gamma,
                dropout,
            };
            prepared.finish(kept, result)
        }
    }
}

fn dropped<B: EncoderOps>(x: FloatTensor<B>, dropout: Dropout) -> FloatTensor<B> {
    match dropout.is_none() {
        true => x,
        false => B::dropout(x, dropout),
    }
}
