//! Pooling and its gradients.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

use super::{are_plain, empty, values, values_mut};
use crate::{
    Offsets,
    backends::portable,
    cpu::pooling,
    ops::{Pool, PoolMaximum},
};

/// Returns whether the implementations here can process a tensor of `offsets`.
fn is_plain(x: &FloatTensor<Flex>, offsets: &Offsets) -> bool {
    are_plain([x]) && x.shape()[1] > 0 && offsets.batch_size() > 0
}

/// See [`EncoderOps::pool`](crate::ops::EncoderOps::pool).
pub(super) fn pool(operation: Pool<Flex>) -> FloatTensor<Flex> {
    let Pool {
        x,
        offsets,
        pooling,
    } = &operation;
    if !is_plain(x, offsets) {
        return portable::pool(operation);
    }
    let mut result = empty([offsets.batch_size(), x.shape()[1]]);
    pooling::pool(values(x), offsets, *pooling, values_mut(&mut result));
    result
}

/// See [`EncoderGradients::pool_mean_gradient`](crate::ops::EncoderGradients::pool_mean_gradient).
pub(super) fn mean_gradient(grad: FloatTensor<Flex>, offsets: &Offsets) -> FloatTensor<Flex> {
    if !is_plain(&grad, offsets) {
        return portable::pool_mean_gradient::<Flex>(grad, offsets);
    }
    let mut gradient = empty([offsets.num_tokens(), grad.shape()[1]]);
    pooling::mean_gradient(values(&grad), offsets, values_mut(&mut gradient));
    gradient
}

/// See [`EncoderGradients::pool_max_gradient`](crate::ops::EncoderGradients::pool_max_gradient).
pub(super) fn max_gradient(
    kept: PoolMaximum<Flex>,
    grad: FloatTensor<Flex>,
    offsets: &Offsets,
) -> FloatTensor<Flex> {
    let PoolMaximum { x, result } = &kept;
    if !is_plain(&grad, offsets) || !are_plain([x, result]) {
        return portable::pool_max_gradient(kept, grad, offsets);
    }
    let mut gradient = empty(x.shape());
    let operands = [x, result, &grad].map(values);
    pooling::max_gradient(operands, offsets, values_mut(&mut gradient));
    gradient
}
