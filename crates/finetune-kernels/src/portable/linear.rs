use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::Shape,
};

use crate::Activation;

/// See [`EncoderOps::linear`](crate::EncoderOps::linear).
pub(crate) fn linear<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    activation: Activation,
) -> FloatTensor<B> {
    let out = bias.shape()[0];
    let product = B::float_matmul(x, weight);
    let sum = B::float_add(product, B::float_reshape(bias, Shape::new([1, out])));
    activation.apply::<B>(sum)
}
