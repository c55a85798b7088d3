//! Cross-entropy over a vocabulary, and its gradients.

use burn::{
    backend::{Flex, TensorMetadata, tensor::FloatTensor},
    tensor::TensorData,
};
use rayon::prelude::*;

use super::{CHUNK, are_plain, empty, values, values_mut};
use crate::{backends::portable, cpu::vocabulary::CrossEntropy, ops::VocabularyCrossEntropy};

/// See [`EncoderOps::vocabulary_cross_entropy`](crate::ops::EncoderOps::vocabulary_cross_entropy).
pub(super) fn vocabulary_cross_entropy(
    operation: VocabularyCrossEntropy<Flex>,
) -> FloatTensor<Flex> {
    match inputs(&operation) {
        Some(inputs) => mean(inputs.loss(), &operation),
        None => portable::vocabulary_cross_entropy(operation),
    }
}

/// See [`EncoderGradients::vocabulary_gradients`](crate::ops::EncoderGradients::vocabulary_gradients).
pub(super) fn vocabulary_gradients(
    operation: VocabularyCrossEntropy<Flex>,
    wanted: [bool; 3],
) -> (FloatTensor<Flex>, [Option<FloatTensor<Flex>>; 3]) {
    let Some(inputs) = inputs(&operation) else {
        return portable::vocabulary_gradients(operation, wanted);
    };
    let mut wanted = wanted.into_iter();
    let tensors = [&operation.x, &operation.table, &operation.bias];
    let mut gradients = tensors.map(|x| wanted.next()?.then(|| empty(x.shape())));
    let loss = inputs.loss_and_gradients(
        (1.0 / operation.denominator) as f32,
        gradients.each_mut().map(|x| x.as_mut().map(values_mut)),
    );
    (mean(loss, &operation), gradients)
}

/// See [`EncoderGradients::scaled`](crate::ops::EncoderGradients::scaled). A factor of 1, which the
/// gradient of a loss begins with, costs nothing.
pub(super) fn scaled(x: FloatTensor<Flex>, factor: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if !are_plain([&x, &factor]) {
        return portable::scaled::<Flex>(x, factor);
    }
    match values(&factor) {
        [1.0] => x,
        factor => {
            let (mut x, factor) = (x, factor[0]);
            values_mut(&mut x)
                .par_chunks_mut(CHUNK)
                .for_each(|x| x.iter_mut().for_each(|x| *x *= factor));
            x
        }
    }
}

fn mean(loss: f64, operation: &VocabularyCrossEntropy<Flex>) -> FloatTensor<Flex> {
    let mean = (loss / operation.denominator) as f32;
    FloatTensor::<Flex>::from_data(TensorData::new(vec![mean], [1]))
}

/// Returns the operands as slices, if they are plain.
fn inputs(operation: &VocabularyCrossEntropy<Flex>) -> Option<CrossEntropy<'_>> {
    let (x, table, bias) = (&operation.x, &operation.table, &operation.bias);
    are_plain([x, table, bias]).then(|| CrossEntropy {
        x: values(x),
        table: values(table),
        bias: values(bias),
        targets: &operation.targets,
        width: table.shape()[1],
        precision: operation.precision,
    })
}
