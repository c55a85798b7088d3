use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::Shape,
};

use super::{constant, indices};
use crate::{Dropout, Offsets};

/// Far below any score, so that its exponential is exactly zero.
const MASKED: f32 = -1e30;

/// See [`EncoderOps::attention`](crate::EncoderOps::attention). Pads to the longest sequence
/// inside; padded rows carry the first row's values, are masked as keys and never read as queries.
pub(crate) fn attention<B: Backend>(
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    value: FloatTensor<B>,
    offsets: &Offsets,
    heads: usize,
    dropout: Dropout,
) -> FloatTensor<B> {
    let (batch, longest) = (offsets.batch_size(), offsets.max_length());
    let hidden = query.shape()[1];
    let head_size = hidden / heads;

    let mut padded_rows = vec![0; batch * longest];
    let mut packed_rows = Vec::with_capacity(offsets.num_tokens());
    let mut mask = vec![MASKED; batch * longest];
    for (sequence, rows) in offsets.ranges().enumerate() {
        for (position, row) in rows.enumerate() {
            let slot = sequence * longest + position;
            padded_rows[slot] = row as u32;
            packed_rows.push(slot as u32);
            mask[slot] = 0.0;
        }
    }
    let padded_rows = indices::<B>(padded_rows.into_iter(), &query);
    let packed_rows = indices::<B>(packed_rows.into_iter(), &query);
    let mask = constant::<B>(mask, [batch, 1, 1, longest], &query);

    let split_heads = |x: FloatTensor<B>| {
        let padded = B::float_select(x, 0, padded_rows.clone());
        let split = B::float_reshape(padded, Shape::new([batch, longest, heads, head_size]));
        B::float_swap_dims(split, 1, 2)
    };
    let query = B::float_mul_scalar(split_heads(query), (head_size as f64).powf(-0.5).into());
    let (key, value) = (split_heads(key), split_heads(value));

    let scores = B::float_matmul(query, B::float_swap_dims(key, 2, 3));
    let mut probabilities = B::softmax(B::float_add(scores, mask), 3);
    if !dropout.is_none() {
        let factors = probability_factors(offsets, heads, longest, dropout);
        let factors = constant::<B>(factors, [batch, heads, longest, longest], &probabilities);
        probabilities = B::float_mul(probabilities, factors);
    }
    let context = B::float_swap_dims(B::float_matmul(probabilities, value), 1, 2);
    let rows = B::float_reshape(context, Shape::new([batch * longest, hidden]));
    B::float_select(rows, 0, packed_rows)
}

/// Dropout factors of the attention probabilities, `[batch, heads, longest, longest]`. The stream
/// does not depend on the padding: one run of elements per (query token, head), padded to a
/// multiple of 4.
fn probability_factors(
    offsets: &Offsets,
    heads: usize,
    longest: usize,
    dropout: Dropout,
) -> Vec<f32> {
    let stride = 1u64 << 32;
    let mut factors = vec![0.0; offsets.batch_size() * heads * longest * longest];
    for (sequence, rows) in offsets.ranges().enumerate() {
        let length = rows.len();
        for (position, row) in rows.enumerate() {
            for head in 0..heads {
                let start = ((sequence * heads + head) * longest + position) * longest;
                dropout.fill(
                    (row * heads + head) as u64 * stride,
                    &mut factors[start..start + length],
                );
            }
        }
    }
    factors
}
