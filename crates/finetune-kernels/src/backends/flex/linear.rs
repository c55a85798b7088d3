//! Linear layers and their gradients.

use burn::{
    backend::{Flex, TensorMetadata, ops::FloatTensorOps, tensor::FloatTensor},
    tensor::Shape,
};

use super::{activate, are_plain, dropout, empty, values, values_mut};
use crate::{
    Activation, MatmulOptions, Precision,
    backends::portable,
    matmul::{self, Epilogue, Matrix, Right},
    ops::{Linear, Lora},
};

/// Returns whether the implementations here can process the operands.
fn is_plain(operation: &Linear<Flex>) -> bool {
    are_plain([&operation.x, &operation.weight, &operation.bias])
}

/// See [`EncoderOps::linear`](crate::ops::EncoderOps::linear).
pub(super) fn linear(operation: Linear<Flex>) -> FloatTensor<Flex> {
    if !is_plain(&operation) {
        return portable::linear(operation);
    }
    let a = matrix(&operation.x);
    let mut out = empty([a.rows, operation.weight.shape()[1]]);
    let activation = operation.activation;
    let epilogue = Epilogue {
        bias: Some(values(&operation.bias)),
        activation: (activation != Activation::Identity).then_some(activation),
        ..Epilogue::default()
    };
    multiply(&mut out, a, &operation.weight, epilogue, &operation.matmul);
    out
}

/// See [`EncoderGradients::linear_keeping`](crate::ops::EncoderGradients::linear_keeping).
pub(super) fn linear_keeping(operation: Linear<Flex>) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
    let activation = operation.activation;
    if !is_plain(&operation) {
        let sum = portable::linear(operation.without_activation());
        return (portable::activate::<Flex>(sum.clone(), activation), sum);
    }
    let a = matrix(&operation.x);
    let shape = [a.rows, operation.weight.shape()[1]];
    let (mut sum, mut activated) = (empty(shape), empty(shape));
    let epilogue = Epilogue {
        bias: Some(values(&operation.bias)),
        activation: Some(activation),
        activated: Some(values_mut(&mut activated)),
        ..Epilogue::default()
    };
    multiply(&mut sum, a, &operation.weight, epilogue, &operation.matmul);
    (activated, sum)
}

/// See [`EncoderOps::lora`](crate::ops::EncoderOps::lora).
pub(super) fn lora(operation: Lora<Flex>) -> FloatTensor<Flex> {
    let activation = operation.linear.activation;
    activate(lora_keeping(operation).0, activation)
}

/// See [`EncoderGradients::lora_keeping`](crate::ops::EncoderGradients::lora_keeping).
pub(super) fn lora_keeping(operation: Lora<Flex>) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
    let Lora {
        linear: layer,
        a,
        b,
        scaling,
        dropout: dropped,
    } = operation;
    let precision = layer.matmul.precision;
    let reduced = multiplied(dropout(layer.x.clone(), dropped), a, precision);
    let reduced = Flex::float_mul_scalar(reduced, scaling.into());
    let base = linear(layer.without_activation());
    (add_product(base, reduced.clone(), b, precision), reduced)
}

/// See [`EncoderOps::matmul`](crate::ops::EncoderOps::matmul).
pub(super) fn matmul(
    a: FloatTensor<Flex>,
    b: FloatTensor<Flex>,
    options: MatmulOptions,
) -> FloatTensor<Flex> {
    if !are_plain([&a, &b]) {
        return portable::matmul::<Flex>(a, b, options.precision);
    }
    let mut out = empty([a.shape()[0], b.shape()[1]]);
    multiply(&mut out, matrix(&a), &b, Epilogue::default(), &options);
    out
}

/// Computes `a · b`.
fn multiplied(
    a: FloatTensor<Flex>,
    b: FloatTensor<Flex>,
    precision: Precision,
) -> FloatTensor<Flex> {
    if !are_plain([&a, &b]) {
        return portable::matmul::<Flex>(a, b, precision);
    }
    multiply_plain(matrix(&a), matrix(&b), Epilogue::default(), precision)
}

/// Computes `sum + a · b`, in place of `sum`.
fn add_product(
    mut sum: FloatTensor<Flex>,
    a: FloatTensor<Flex>,
    b: FloatTensor<Flex>,
    precision: Precision,
) -> FloatTensor<Flex> {
    if !are_plain([&sum, &a, &b]) {
        return Flex::float_add(sum, portable::matmul::<Flex>(a, b, precision));
    }
    let epilogue = Epilogue {
        accumulate: true,
        ..Epilogue::default()
    };
    let (a, b) = (matrix(&a), Right::Plain(matrix(&b)));
    matmul::multiply(values_mut(&mut sum), a, b, epilogue, precision);
    sum
}

/// See [`EncoderGradients::linear_input_gradient`](crate::ops::EncoderGradients).
pub(super) fn linear_input_gradient(
    grad: FloatTensor<Flex>,
    weight: FloatTensor<Flex>,
    options: MatmulOptions,
) -> FloatTensor<Flex> {
    let precision = options.precision;
    if !are_plain([&grad, &weight]) {
        let transposed = portable::transposed::<Flex>(weight);
        return portable::matmul::<Flex>(grad, transposed, precision);
    }
    let mut out = empty([grad.shape()[0], weight.shape()[0]]);
    let packed = options.packed.as_ref();
    let packed = packed.and_then(|cache| cache.transposed(&weight, precision));
    let b = match &packed {
        Some(packed) => Right::Packed(packed),
        None => Right::Plain(matrix(&weight).transpose()),
    };
    let (a, epilogue) = (matrix(&grad), Epilogue::default());
    matmul::multiply(values_mut(&mut out), a, b, epilogue, precision);
    out
}

/// See [`EncoderGradients::linear_weight_gradient`](crate::ops::EncoderGradients).
pub(super) fn linear_weight_gradient(
    x: FloatTensor<Flex>,
    grad: FloatTensor<Flex>,
    precision: Precision,
) -> FloatTensor<Flex> {
    if !are_plain([&x, &grad]) {
        return portable::matmul::<Flex>(portable::transposed::<Flex>(x), grad, precision);
    }
    // The result is not read before the backward pass is complete.
    let epilogue = Epilogue {
        streamed: true,
        ..Epilogue::default()
    };
    multiply_plain(matrix(&x).transpose(), matrix(&grad), epilogue, precision)
}

/// Computes `a · weight`, with the weight's packed form if there is a cache for it.
fn multiply(
    out: &mut FloatTensor<Flex>,
    a: Matrix<'_>,
    weight: &FloatTensor<Flex>,
    epilogue: Epilogue<'_>,
    options: &MatmulOptions,
) {
    let packed = options.packed.as_ref();
    let packed = packed.map(|cache| cache.get(weight, options.precision));
    let b = match &packed {
        Some(packed) => Right::Packed(packed),
        None => Right::Plain(matrix(weight)),
    };
    matmul::multiply(values_mut(out), a, b, epilogue, options.precision);
}

fn multiply_plain(
    a: Matrix<'_>,
    b: Matrix<'_>,
    epilogue: Epilogue<'_>,
    precision: Precision,
) -> FloatTensor<Flex> {
    let mut out = empty([a.rows, b.cols]);
    let right = Right::Plain(b);
    matmul::multiply(values_mut(&mut out), a, right, epilogue, precision);
    out
}

/// Returns a plain tensor of two dimensions as a matrix.
fn matrix(tensor: &FloatTensor<Flex>) -> Matrix<'_> {
    let shape: Shape = tensor.shape();
    Matrix::new(values(tensor), shape[0], shape[1])
}
