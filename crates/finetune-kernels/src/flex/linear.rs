//! Linear layers, and the gradients of them.

use burn::{
    backend::{Flex, TensorMetadata, ops::FloatTensorOps, tensor::FloatTensor},
    tensor::Shape,
};
use rayon::prelude::*;

use super::{are_plain, empty, values, values_mut};
use crate::{
    Activation, Precision, Products,
    cpu::norm,
    matmul::{self, Finish, Matrix, Right},
    portable,
};

/// See [`EncoderOps::linear`](crate::EncoderOps::linear).
pub(crate) fn linear(
    x: FloatTensor<Flex>,
    weight: FloatTensor<Flex>,
    bias: FloatTensor<Flex>,
    activation: Activation,
    products: Products,
) -> FloatTensor<Flex> {
    if !are_plain([&x, &weight, &bias]) {
        return portable::linear::<Flex>(x, weight, bias, activation, products.precision);
    }
    let a = matrix(&x);
    let mut out = empty([a.rows, weight.shape()[1]]);
    let finish = Finish {
        bias: Some(values(&bias)),
        activation: (activation != Activation::Identity).then_some(activation),
        ..Finish::default()
    };
    multiply(&mut out, a, &weight, finish, &products);
    out
}

/// See [`EncoderGradients::linear_with_sum`](crate::EncoderGradients::linear_with_sum).
pub(crate) fn linear_with_sum(
    x: FloatTensor<Flex>,
    weight: FloatTensor<Flex>,
    bias: FloatTensor<Flex>,
    activation: Activation,
    products: Products,
) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
    if !are_plain([&x, &weight, &bias]) {
        let sum =
            portable::linear::<Flex>(x, weight, bias, Activation::Identity, products.precision);
        return (activation.apply::<Flex>(sum.clone()), sum);
    }
    let a = matrix(&x);
    let shape = [a.rows, weight.shape()[1]];
    let (mut sum, mut activated) = (empty(shape), empty(shape));
    let finish = Finish {
        bias: Some(values(&bias)),
        activation: Some(activation),
        activated: Some(values_mut(&mut activated)),
        ..Finish::default()
    };
    multiply(&mut sum, a, &weight, finish, &products);
    (activated, sum)
}

/// See [`EncoderGradients::product`](crate::EncoderGradients::product).
pub(crate) fn product(
    a: FloatTensor<Flex>,
    b: FloatTensor<Flex>,
    precision: Precision,
) -> FloatTensor<Flex> {
    if !are_plain([&a, &b]) {
        return portable::product::<Flex>(a, b, precision);
    }
    plain_product(matrix(&a), matrix(&b), Finish::default(), precision)
}

/// See [`EncoderGradients::add_product`](crate::EncoderGradients::add_product). In place of `sum`.
pub(crate) fn add_product(
    mut sum: FloatTensor<Flex>,
    a: FloatTensor<Flex>,
    b: FloatTensor<Flex>,
    precision: Precision,
) -> FloatTensor<Flex> {
    if !are_plain([&sum, &a, &b]) {
        return Flex::float_add(sum, portable::product::<Flex>(a, b, precision));
    }
    let finish = Finish {
        accumulate: true,
        ..Finish::default()
    };
    let (a, b) = (matrix(&a), matrix(&b));
    matmul::product(values_mut(&mut sum), a, Right::Plain(b), finish, precision);
    sum
}

/// See [`EncoderGradients::linear_input_gradient`](crate::EncoderGradients::linear_input_gradient).
pub(crate) fn linear_input_gradient(
    grad: FloatTensor<Flex>,
    weight: FloatTensor<Flex>,
    precision: Precision,
) -> FloatTensor<Flex> {
    if !are_plain([&grad, &weight]) {
        let transposed = portable::transposed::<Flex>(weight);
        return portable::product::<Flex>(grad, transposed, precision);
    }
    plain_product(
        matrix(&grad),
        matrix(&weight).transpose(),
        Finish::default(),
        precision,
    )
}

/// `a · weight`, from the weight's packed form where it has room for one.
fn multiply(
    out: &mut FloatTensor<Flex>,
    a: Matrix<'_>,
    weight: &FloatTensor<Flex>,
    finish: Finish<'_>,
    products: &Products,
) {
    let packed = products.packed.as_ref();
    let packed = packed.map(|room| room.get(weight, products.precision));
    let b = match &packed {
        Some(packed) => Right::Packed(packed),
        None => Right::Plain(matrix(weight)),
    };
    matmul::product(values_mut(out), a, b, finish, products.precision);
}

/// See
/// [`EncoderGradients::linear_weight_gradient`](crate::EncoderGradients::linear_weight_gradient).
pub(crate) fn linear_weight_gradient(
    x: FloatTensor<Flex>,
    grad: FloatTensor<Flex>,
    precision: Precision,
) -> FloatTensor<Flex> {
    if !are_plain([&x, &grad]) {
        return portable::product::<Flex>(portable::transposed::<Flex>(x), grad, precision);
    }
    // Next read when all gradients are there.
    let finish = Finish {
        streamed: true,
        ..Finish::default()
    };
    plain_product(matrix(&x).transpose(), matrix(&grad), finish, precision)
}

fn plain_product(
    a: Matrix<'_>,
    b: Matrix<'_>,
    finish: Finish<'_>,
    precision: Precision,
) -> FloatTensor<Flex> {
    let mut out = empty([a.rows, b.cols]);
    let right = Right::Plain(b);
    matmul::product(values_mut(&mut out), a, right, finish, precision);
    out
}

/// Rows whose sums are one partial sum.
const SUMMED_ROWS: usize = 64;

/// See [`EncoderGradients::column_sums`](crate::EncoderGradients::column_sums).
pub(crate) fn column_sums(x: FloatTensor<Flex>) -> FloatTensor<Flex> {
    let columns = x.shape()[1];
    if !are_plain([&x]) || columns == 0 {
        return portable::column_sums::<Flex>(x);
    }
    let parts = values(&x).par_chunks(SUMMED_ROWS * columns).map(|rows| {
        let mut sums = vec![0.0f32; columns];
        for row in rows.chunks_exact(columns) {
            norm::add(&mut sums, row);
        }
        sums
    });
    let parts: Vec<_> = parts.collect();
    let mut out = empty([columns]);
    let sums = values_mut(&mut out);
    sums.fill(0.0);
    for part in parts {
        norm::add(sums, &part);
    }
    out
}

/// A plain tensor of two dimensions.
fn matrix(tensor: &FloatTensor<Flex>) -> Matrix<'_> {
    let shape: Shape = tensor.shape();
    Matrix::new(values(tensor), shape[0], shape[1])
}
