//! The backward passes of operations on the columns of a matrix.

use burn::backend::{
    Autodiff, Backend, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind, binary},
    },
    tensor::FloatTensor,
};

use crate::ops::{EncoderGradients, EncoderOps};

/// The node of the result. Its parents are x, scale, and shift.
#[derive(Debug)]
struct Affine;

/// The values that its backward pass needs.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    /// Needed for the scale's gradient; `None` if the scale is a constant.
    x: Option<FloatTensor<B>>,
    /// Needed for the gradient of `x`; `None` if nothing below is trained.
    scale: Option<FloatTensor<B>>,
}

impl<B: EncoderGradients> Backward<B, 3> for Affine {
    type State = Kept<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, scale, shift] = ops.parents;
        if let (Some(node), Some(x)) = (scale, ops.state.x) {
            grads.register::<B>(node.id, B::column_products(x, grad.clone()));
        }
        if let Some(node) = shift {
            grads.register::<B>(node.id, B::column_sums(grad.clone()));
        }
        if let (Some(node), Some(scale)) = (x, ops.state.scale) {
            grads.register::<B>(node.id, scaled::<B>(grad, scale));
        }
    }
}

/// See [`EncoderOps::affine`].
pub(super) fn affine<B: EncoderGradients, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    scale: FloatTensor<Autodiff<B, C>>,
    shift: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let (needs_x, needs_scale) = (scale.is_tracked(), x.is_tracked());
    let (x, x_node) = x.into_parts();
    let (scale, scale_node) = scale.into_parts();
    let (shift, shift_node) = shift.into_parts();
    let nodes = [x_node, scale_node, shift_node];
    match Affine.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::UnTracked(prepared) => prepared.finish(B::affine(x, scale, shift)),
        OpsKind::Tracked(prepared) => {
            let kept = Kept::<B> {
                x: needs_x.then(|| x.clone()),
                scale: needs_scale.then(|| scale.clone()),
            };
            prepared.finish(kept, B::affine(x, scale, shift))
        }
    }
}

/// The node of dot products. Its parents are x and y.
#[derive(Debug)]
struct Products;

impl<B: EncoderGradients> Backward<B, 2> for Products {
    type State = [FloatTensor<B>; 2];

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [x, y] = ops.state;
        binary::<B, _, _>(
            ops.parents,
            ops.node,
            grads,
            |grad| scaled::<B>(y, grad),
            |grad| scaled::<B>(x, grad),
        );
    }
}

/// See [`EncoderOps::column_products`].
pub(super) fn products<B: EncoderGradients, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    y: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let (x, x_node) = x.into_parts();
    let (y, y_node) = y.into_parts();
    let nodes = [x_node, y_node];
    match Products.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::UnTracked(prepared) => prepared.finish(B::column_products(x, y)),
        OpsKind::Tracked(prepared) => {
            let kept = [x.clone(), y.clone()];
            prepared.finish(kept, B::column_products(x, y))
        }
    }
}

/// Multiplies each column by its scale.
fn scaled<B: EncoderOps>(x: FloatTensor<B>, scale: FloatTensor<B>) -> FloatTensor<B> {
    let none = B::float_zeros(scale.shape(), &scale.device(), scale.dtype().into());
    B::affine(x, scale, none)
}
