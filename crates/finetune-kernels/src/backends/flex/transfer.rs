//! Attention transfer and its gradients.

use burn::{
    backend::{Flex, TensorMetadata, tensor::FloatTensor},
    tensor::TensorData,
};

use super::{are_plain, empty, values, values_mut};
use crate::{
    backends::portable,
    cpu::transfer::{Projections, Transfer},
    ops::AttentionTransfer,
};

/// See [`EncoderOps::attention_transfer`](crate::ops::EncoderOps::attention_transfer).
pub(super) fn attention_transfer(operation: AttentionTransfer<Flex>) -> FloatTensor<Flex> {
    match inputs(&operation) {
        Some(inputs) => mean(inputs.divergence(0.0, [None, None]), &operation),
        None => portable::attention_transfer(operation),
    }
}

/// See [`EncoderGradients::attention_transfer_gradients`](crate::ops::EncoderGradients::attention_transfer_gradients).
pub(super) fn attention_transfer_gradients(
    operation: AttentionTransfer<Flex>,
    wanted: [bool; 2],
) -> (FloatTensor<Flex>, [Option<FloatTensor<Flex>>; 2]) {
    let Some(inputs) = inputs(&operation) else {
        return portable::attention_transfer_gradients(operation, wanted);
    };
    let mut gradients = wanted.map(|wanted| wanted.then(|| empty(operation.query.shape())));
    let sum = inputs.divergence(
        (1.0 / operation.denominator) as f32,
        gradients.each_mut().map(|x| x.as_mut().map(values_mut)),
    );
    (mean(sum, &operation), gradients)
}

fn mean(sum: f64, operation: &AttentionTransfer<Flex>) -> FloatTensor<Flex> {
    let mean = (sum / operation.denominator) as f32;
    FloatTensor::<Flex>::from_data(TensorData::new(vec![mean], [1]))
}

/// Returns the operands as slices, if they are plain.
fn inputs(operation: &AttentionTransfer<Flex>) -> Option<Transfer<'_>> {
    let AttentionTransfer {
        query,
        key,
        teacher_query,
        teacher_key,
        ..
    } = operation;
    are_plain([query, key, teacher_query, teacher_key]).then(|| Transfer {
        student: Projections {
            query: values(query),
            key: values(key),
            width: query.shape()[1],
        },
        teacher: Projections {
            query: values(teacher_query),
            key: values(teacher_key),
            width: teacher_query.shape()[1],
        },
        offsets: &operation.offsets,
        heads: operation.heads,
    })
}
