//! Operations on the columns of a matrix.

use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::Shape,
};

/// See [`EncoderOps::affine`](crate::ops::EncoderOps::affine).
pub(crate) fn affine<B: Backend>(
    x: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
) -> FloatTensor<B> {
    let row = |vector: FloatTensor<B>| {
        let columns = vector.shape()[0];
        B::float_reshape(vector, Shape::new([1, columns]))
    };
    B::float_add(B::float_mul(x, row(scale)), row(shift))
}

/// See [`EncoderOps::column_products`](crate::ops::EncoderOps::column_products).
pub(crate) fn column_products<B: Backend>(x: FloatTensor<B>, y: FloatTensor<B>) -> FloatTensor<B> {
    column_sums::<B>(B::float_mul(x, y))
}

/// See [`EncoderGradients::column_sums`](crate::ops::EncoderGradients::column_sums).
pub(crate) fn column_sums<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let columns = x.shape()[1];
    B::float_reshape(B::float_sum_dim(x, 0), Shape::new([columns]))
}
