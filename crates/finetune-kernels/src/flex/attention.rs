//! Attention and its gradients.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

use super::{are_plain, empty, values, values_mut};
use crate::{
    AttentionShape, Dropout,
    cpu::attention::{self, Attention},
    portable,
};

/// See [`EncoderOps::attention`](crate::EncoderOps::attention).
pub(crate) fn attention(
    query: FloatTensor<Flex>,
    key: FloatTensor<Flex>,
    value: FloatTensor<Flex>,
    shape: &AttentionShape,
    dropout: Dropout,
) -> FloatTensor<Flex> {
    if !are_plain([&query, &key, &value]) {
        return portable::attention::<Flex>(query, key, value, shape, dropout);
    }
    let mut result = empty(query.shape());
    let inputs = inputs([&query, &key, &value], shape, dropout);
    attention::attention(inputs, values_mut(&mut result));
    result
}

/// See [`EncoderGradients::attention_gradients`](crate::EncoderGradients::attention_gradients).
pub(crate) fn attention_gradients(
    [query, key, value]: [FloatTensor<Flex>; 3],
    grad: FloatTensor<Flex>,
    shape: &AttentionShape,
    dropout: Dropout,
    wanted: [bool; 3],
) -> [Option<FloatTensor<Flex>>; 3] {
    if !are_plain([&query, &key, &value, &grad]) {
        let inputs = [query, key, value];
        return portable::attention_gradients::<Flex>(inputs, grad, shape, dropout, wanted);
    }
    let tensors = [&query, &key, &value];
    let mut wanted = wanted.into_iter();
    let mut gradients = tensors.map(|x| wanted.next()?.then(|| empty(x.shape())));
    attention::attention_gradients(
        inputs(tensors, shape, dropout),
        values(&grad),
        gradients.each_mut().map(|x| x.as_mut().map(values_mut)),
    );
    gradients
}

fn inputs<'a>(
    [query, key, value]: [&'a FloatTensor<Flex>; 3],
    shape: &'a AttentionShape,
    dropout: Dropout,
) -> Attention<'a> {
    Attention {
        query: values(query),
        key: values(key),
        value: values(value),
        width: query.shape()[1],
        shape,
        dropout,
    }
}
