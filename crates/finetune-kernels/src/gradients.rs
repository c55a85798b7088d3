//! What the hand-written backward passes need of a backend beyond the operations themselves:
//! forward passes that also give what is kept, and gradients. Portable bodies work everywhere.

use burn::backend::tensor::FloatTensor;

#[cfg(feature = "flex")]
use crate::flex;
use crate::{Activation, EncoderOps, Precision, Products, portable};

/// Gradients of [`EncoderOps`], one method per gradient, so that nothing is computed that nobody
/// asks for.
pub trait EncoderGradients: EncoderOps {
    /// [`EncoderOps::linear`] and what enters its activation.
    fn linear_with_sum(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
        products: Products,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let sum = <Self as EncoderOps>::linear(x, weight, bias, Activation::Identity, products);
        (Self::activate(sum.clone(), activation), sum)
    }

    /// `a · b`.
    fn product(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        portable::product::<Self>(a, b, precision)
    }

    /// `sum + a · b`.
    fn add_product(
        sum: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        Self::float_add(sum, portable::product::<Self>(a, b, precision))
    }

    /// `grad · weightᵀ`: `[tokens, out]`, `[in, out]` to `[tokens, in]`.
    fn linear_input_gradient(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        products: Products,
    ) -> FloatTensor<Self> {
        let transposed = portable::transposed::<Self>(weight);
        portable::product::<Self>(grad, transposed, products.precision)
    }

    /// `xᵀ · grad`: `[tokens, in]`, `[tokens, out]` to `[in, out]`.
    fn linear_weight_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        portable::product::<Self>(portable::transposed::<Self>(x), grad, precision)
    }

    /// `[rows, columns]` to `[columns]`.
    fn column_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::column_sums::<Self>(x)
    }
}

#[cfg(feature = "flex")]
impl EncoderGradients for burn::backend::Flex {
    fn linear_with_sum(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
        products: Products,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        flex::linear_with_sum(x, weight, bias, activation, products)
    }

    fn product(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        flex::product(a, b, precision)
    }

    fn add_product(
        sum: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        flex::add_product(sum, a, b, precision)
    }

    fn linear_input_gradient(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        products: Products,
    ) -> FloatTensor<Self> {
        flex::linear_input_gradient(grad, weight, products)
    }

    fn linear_weight_gradient(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        flex::linear_weight_gradient(x, grad, precision)
    }

    fn column_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        flex::column_sums(x)
    }
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)]
impl EncoderGradients for burn::backend::NdArray {}

#[cfg(feature = "cuda")]
impl EncoderGradients for burn::backend::Cuda {}
