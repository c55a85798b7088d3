//! Attention and its gradients.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

use super::{are_plain, empty, values, values_mut};
use crate::{
    backends::portable,
    cpu::attention,
    ops::{Attention, AttentionBackward},
};

/// See [`EncoderOps::attention`](crate::ops::EncoderOps::attention).
pub(super) fn attention(operation: Attention<Flex>) -> FloatTensor<Flex> {
    if !are_plain([&operation.query, &operation.key, &operation.value]) {
        return portable::attention(operation);
    }
    let mut result = empty(operation.query.shape());
    attention::attention(inputs(&operation), values_mut(&mut result));
    result
}

/// The operands, which attention keeps like the portable implementation.
#[derive(Clone, Debug)]
pub struct AttentionKept(portable::AttentionKept<Flex>);

impl AttentionBackward<Flex> for AttentionKept {
    fn attention(operation: Attention<Flex>) -> (FloatTensor<Flex>, Self) {
        let kept = Self(portable::AttentionKept(operation.clone()));
        (attention(operation), kept)
    }

    fn gradients(
        self,
        grad: FloatTensor<Flex>,
        wanted: [bool; 3],
    ) -> [Option<FloatTensor<Flex>>; 3] {
        let operation = &self.0.0;
        let tensors = [&operation.query, &operation.key, &operation.value];
        if !are_plain(tensors) || !are_plain([&grad]) {
            return self.0.gradients(grad, wanted);
        }
        let mut wanted = wanted.into_iter();
        let mut gradients = tensors.map(|x| wanted.next()?.then(|| empty(x.shape())));
        attention::attention_gradients(
            inputs(operation),
            values(&grad),
            gradients.each_mut().map(|x| x.as_mut().map(values_mut)),
        );
        gradients
    }
}

fn inputs(operation: &Attention<Flex>) -> attention::Attention<'_> {
    attention::Attention {
        query: values(&operation.query),
        key: values(&operation.key),
        value: values(&operation.value),
        width: operation.query.shape()[1],
        shape: &operation.shape,
        dropout: operation.dropout,
    }
}
