//! Layer norms.

use burn::{
    backend::{Flex, TensorMetadata, tensor::FloatTensor},
    tensor::TensorData,
};

use super::{are_plain, empty, owned, values, values_mut};
use crate::{Dropout, EncoderOps, NormGradients, Normal, cpu::norm, portable};

/// The norm's parameters as slices.
pub(super) fn parameters<'a>(
    gamma: &'a FloatTensor<Flex>,
    beta: &'a FloatTensor<Flex>,
    epsilon: f64,
) -> norm::Norm<'a> {
    norm::Norm {
        gamma: values(gamma),
        beta: values(beta),
        epsilon: epsilon as f32,
    }
}

/// See [`EncoderOps::dropout_residual_norm`]. In place of `x`.
pub(crate) fn dropout_residual_norm(
    x: FloatTensor<Flex>,
    residual: FloatTensor<Flex>,
    gamma: FloatTensor<Flex>,
    beta: FloatTensor<Flex>,
    epsilon: f64,
    dropout: Dropout,
) -> FloatTensor<Flex> {
    if !are_plain([&x, &residual, &gamma, &beta]) || x.shape().num_elements() == 0 {
        return portable::dropout_residual_norm::<Flex>(x, residual, gamma, beta, epsilon, dropout)
            .0;
    }
    let mut x = owned(x);
    let norm = parameters(&gamma, &beta, epsilon);
    norm::dropout_residual_norm(values_mut(&mut x), values(&residual), norm, dropout);
    x
}

/// See [`EncoderGradients::dropout_residual_norm_with_normal`][method]. The normalised rows take
/// the place of `x`.
///
/// [method]: crate::EncoderGradients::dropout_residual_norm_with_normal
pub(crate) fn dropout_residual_norm_with_normal(
    x: FloatTensor<Flex>,
    residual: FloatTensor<Flex>,
    gamma: FloatTensor<Flex>,
    beta: FloatTensor<Flex>,
    epsilon: f64,
    dropout: Dropout,
) -> (FloatTensor<Flex>, Normal<Flex>) {
    if !are_plain([&x, &residual, &gamma, &beta]) || x.shape().num_elements() == 0 {
        return portable::dropout_residual_norm::<Flex>(x, residual, gamma, beta, epsilon, dropout);
    }
    let rows = x.shape()[0];
    let mut result = empty(x.shape());
    let mut normal = owned(x);
    let mut deviation = empty([rows, 1]);
    norm::dropout_residual_norm_with_normal(
        values_mut(&mut normal),
        values(&residual),
        parameters(&gamma, &beta, epsilon),
        dropout,
        values_mut(&mut result),
        values_mut(&mut deviation),
    );
    (result, Normal { normal, deviation })
}

/// See [`EncoderGradients::norm_gradients`](crate::EncoderGradients::norm_gradients). In place of
/// `grad`.
pub(crate) fn norm_gradients(
    normal: Normal<Flex>,
    gamma: FloatTensor<Flex>,
    grad: FloatTensor<Flex>,
    dropout: Dropout,
    wanted: NormGradients<bool>,
) -> NormGradients<Option<FloatTensor<Flex>>> {
    let empty_rows = grad.shape().num_elements() == 0;
    if !are_plain([&normal.normal, &normal.deviation, &gamma, &grad]) || empty_rows {
        return portable::norm_gradients::<Flex>(normal, gamma, grad, dropout, wanted);
    }
    let columns = gamma.shape()[0];
    let mut sum = owned(grad);
    let kept = norm::Kept {
        normal: values(&normal.normal),
        deviations: values(&normal.deviation),
        gamma: values(&gamma),
    };
    let parameters = if wanted.gamma || wanted.beta {
        norm::gradient_with_parameters(kept, values_mut(&mut sum))
    } else {
        norm::gradient(kept, values_mut(&mut sum));
        Vec::new()
    };
    let parameter = |wanted: bool, start: usize| {
        wanted.then(|| {
            let gradient = parameters[start..start + columns].to_vec();
            FloatTensor::<Flex>::from_data(TensorData::new(gradient, [columns]))
        })
    };
    NormGradients {
        gamma: parameter(wanted.gamma, 0),
        beta: parameter(wanted.beta, columns),
        residual: wanted.residual.then(|| sum.clone()),
        x: wanted.x.then(|| Flex::dropout(sum, dropout)),
    }
}
