//! Layer norms and their gradients.

use burn::{
    backend::{Flex, TensorMetadata, tensor::FloatTensor},
    tensor::TensorData,
};

use super::{are_plain, dropout, embedding::tables_of_norm, empty, owned, values, values_mut};
use crate::{
    Dropout,
    backends::portable,
    cpu::{self, norm},
    ops::{
        DropoutResidual, DropoutResidualNorm, EmbeddingNorm, LayerNorm, Norm, NormBackward,
        NormGradients,
    },
};

/// Returns the norm's parameters as slices.
pub(super) fn parameters(norm: &Norm<Flex>) -> norm::Norm<'_> {
    norm::Norm {
        gamma: values(&norm.gamma),
        beta: values(&norm.beta),
        epsilon: norm.epsilon as f32,
    }
}

/// Returns whether the implementations here can process the operands.
fn is_plain(operation: &DropoutResidualNorm<Flex>) -> bool {
    let DropoutResidualNorm {
        x, residual, norm, ..
    } = operation;
    are_plain([x, residual, &norm.gamma, &norm.beta]) && x.shape().num_elements() > 0
}

/// See [`EncoderOps::dropout_residual_norm`](crate::ops::EncoderOps::dropout_residual_norm). Works in
/// place of `x`.
pub(super) fn dropout_residual_norm(operation: DropoutResidualNorm<Flex>) -> FloatTensor<Flex> {
    if !is_plain(&operation) {
        return portable::NormKept::dropout_residual_norm(operation).0;
    }
    let DropoutResidualNorm {
        x,
        residual,
        norm,
        dropout,
    } = operation;
    let mut x = owned(x);
    let norm = parameters(&norm);
    norm::dropout_residual_norm(values_mut(&mut x), values(&residual), norm, dropout);
    x
}

/// See [`EncoderOps::dropout_residual`](crate::ops::EncoderOps::dropout_residual). Works in place of
/// `x`.
pub(super) fn dropout_residual(operation: DropoutResidual<Flex>) -> FloatTensor<Flex> {
    let DropoutResidual { x, residual, .. } = &operation;
    if !are_plain([x, residual]) || x.shape().num_elements() == 0 {
        return portable::dropout_residual(operation);
    }
    let DropoutResidual {
        x,
        residual,
        dropout,
    } = operation;
    let (columns, mut x) = (x.shape()[1], owned(x));
    norm::dropout_residual(values_mut(&mut x), values(&residual), columns, dropout);
    x
}

/// Returns whether the implementations here can process the operands.
fn is_plain_norm(LayerNorm { x, norm }: &LayerNorm<Flex>) -> bool {
    are_plain([x, &norm.gamma, &norm.beta]) && x.shape().num_elements() > 0
}

/// See [`EncoderOps::norm`](crate::ops::EncoderOps::norm).
pub(super) fn layer_norm(operation: LayerNorm<Flex>) -> FloatTensor<Flex> {
    if !is_plain_norm(&operation) {
        return portable::NormKept::layer_norm(operation).0;
    }
    let LayerNorm { x, norm } = &operation;
    let mut result = empty(x.shape());
    norm::layer_norm(values(x), parameters(norm), values_mut(&mut result));
    result
}

/// The values that a norm keeps, which are those of the portable implementation.
#[derive(Clone, Debug)]
pub struct NormKept(pub(super) portable::NormKept<Flex>);

impl NormBackward<Flex> for NormKept {
    /// Stores the normalized rows in place of `x`.
    fn dropout_residual_norm(operation: DropoutResidualNorm<Flex>) -> (FloatTensor<Flex>, Self) {
        if !is_plain(&operation) {
            let (result, kept) = portable::NormKept::dropout_residual_norm(operation);
            return (result, Self(kept));
        }
        let DropoutResidualNorm {
            x,
            residual,
            norm,
            dropout,
        } = operation;
        let rows = x.shape()[0];
        let mut result = empty(x.shape());
        let mut normal = owned(x);
        let mut deviation = empty([rows, 1]);
        norm::dropout_residual_norm_keeping(
            values_mut(&mut normal),
            values(&residual),
            parameters(&norm),
            dropout,
            values_mut(&mut result),
            values_mut(&mut deviation),
        );
        let kept = portable::NormKept {
            normal,
            deviation,
            gamma: norm.gamma,
        };
        (result, Self(kept))
    }

    fn embedding_norm(operation: EmbeddingNorm<Flex>) -> (FloatTensor<Flex>, Self) {
        let Some(tables) = tables_of_norm(&operation) else {
            let (result, kept) = portable::NormKept::embedding_norm(operation);
            return (result, Self(kept));
        };
        let EmbeddingNorm {
            norm,
            tokens,
            dropout,
            ..
        } = &operation;
        let count = tokens.ids.len();
        let [mut result, mut normal] = [(); 2].map(|()| empty([count, norm.gamma.shape()[0]]));
        let mut deviation = empty([count, 1]);
        cpu::embedding::embedding_norm_keeping(
            tables,
            tokens,
            parameters(norm),
            *dropout,
            values_mut(&mut result),
            [values_mut(&mut normal), values_mut(&mut deviation)],
        );
        let kept = portable::NormKept {
            normal,
            deviation,
            gamma: operation.norm.gamma,
        };
        (result, Self(kept))
    }

    fn layer_norm(operation: LayerNorm<Flex>) -> (FloatTensor<Flex>, Self) {
        if !is_plain_norm(&operation) {
            let (result, kept) = portable::NormKept::layer_norm(operation);
            return (result, Self(kept));
        }
        let LayerNorm { x, norm } = operation;
        let [mut result, mut normal] = [(); 2].map(|()| empty(x.shape()));
        let mut deviation = empty([x.shape()[0], 1]);
        norm::layer_norm_keeping(
            values(&x),
            parameters(&norm),
            values_mut(&mut result),
            [values_mut(&mut normal), values_mut(&mut deviation)],
        );
        let kept = portable::NormKept {
            normal,
            deviation,
            gamma: norm.gamma,
        };
        (result, Self(kept))
    }

    /// Works in place of `grad`.
    fn gradients(
        self,
        grad: FloatTensor<Flex>,
        dropped: Dropout,
        wanted: NormGradients<bool>,
    ) -> NormGradients<Option<FloatTensor<Flex>>> {
        let portable::NormKept {
            normal,
            deviation,
            gamma,
        } = &self.0;
        let is_empty = grad.shape().num_elements() == 0;
        if !are_plain([normal, deviation, gamma, &grad]) || is_empty {
            return self.0.gradients(grad, dropped, wanted);
        }
        let columns = gamma.shape()[0];
        let mut sum = owned(grad);
        let kept = norm::Kept {
            normal: values(normal),
            deviations: values(deviation),
            gamma: values(gamma),
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
            x: wanted.x.then(|| dropout(sum, dropped)),
        }
    }
}
