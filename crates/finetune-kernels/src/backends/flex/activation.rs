//! Activation functions and their derivatives.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{CHUNK, are_plain, empty, values, values_mut};
use crate::{Activation, backends::portable, cpu::activation};

/// See [`EncoderOps::activate`](crate::ops::EncoderOps::activate).
pub(crate) fn activate(mut x: FloatTensor<Flex>, function: Activation) -> FloatTensor<Flex> {
    if function == Activation::Identity {
        return x;
    }
    if !are_plain([&x]) {
        return portable::activate::<Flex>(x, function);
    }
    if x.is_unique() {
        values_mut(&mut x)
            .par_chunks_mut(CHUNK)
            .for_each(|chunk| activation::apply(function, chunk));
        return x;
    }
    let mut result = empty(x.shape());
    values_mut(&mut result)
        .par_chunks_mut(CHUNK)
        .zip(values(&x).par_chunks(CHUNK))
        .for_each(|(result, x)| activation::apply_to(function, x, result));
    result
}

/// See [`EncoderGradients::activation_gradient`](crate::ops::EncoderGradients::activation_gradient).
/// Works in place of `grad`.
pub(crate) fn activation_gradient(
    x: FloatTensor<Flex>,
    mut grad: FloatTensor<Flex>,
    function: Activation,
) -> FloatTensor<Flex> {
    if function == Activation::Identity {
        return grad;
    }
    if !are_plain([&x, &grad]) {
        return portable::activation_gradient::<Flex>(x, grad, function);
    }
    values_mut(&mut grad)
        .par_chunks_mut(CHUNK)
        .zip(values(&x).par_chunks(CHUNK))
        .for_each(|(grad, x)| activation::multiply_by_derivative(function, x, grad));
    grad
}
