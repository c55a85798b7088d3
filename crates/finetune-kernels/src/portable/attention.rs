use burn::{
    backend::{
        Backend, TensorMetadata,
        tensor::{FloatTensor, IntTensor},
    },
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
    let layout = Heads::<B>::new(&query, offsets, heads);
    let (query, key, value) = (layout.split(query), layout.split(key), layout.split(value));
    let mut probabilities = layout.probabilities(query, key);
    if let Some(factors) = layout.dropout_factors(offsets, dropout, &probabilities) {
        probabilities = B::float_mul(probabilities, factors);
    }
    layout.merge(B::float_matmul(probabilities, value))
}

/// The way from packed rows to heads with padding, and back.
pub(crate) struct Heads<B: Backend> {
    batch: usize,
    longest: usize,
    heads: usize,
    head_size: usize,
    /// The packed row of each padded one; the first for padding.
    padded_rows: IntTensor<B>,
    /// The padded row of each packed one.
    packed_rows: IntTensor<B>,
    /// 0 for tokens and [`MASKED`] for padding, `[batch, 1, 1, longest]`.
    mask: FloatTensor<B>,
}

impl<B: Backend> Heads<B> {
    /// For tensors like `packed`, `[tokens, heads · head size]`.
    pub(crate) fn new(packed: &FloatTensor<B>, offsets: &Offsets, heads: usize) -> Self {
        let (batch, longest) = (offsets.batch_size(), offsets.max_length());
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
        Self {
            batch,
            longest,
            heads,
            head_size: packed.shape()[1] / heads,
            padded_rows: indices::<B>(padded_rows.into_iter(), packed),
            packed_rows: indices::<B>(packed_rows.into_iter(), packed),
            mask: constant::<B>(mask, [batch, 1, 1, longest], packed),
        }
    }

    /// `[tokens, heads · head size]` to `[batch, heads, longest, head size]`.
    pub(crate) fn split(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let padded = B::float_select(x, 0, self.padded_rows.clone());
        let shape = Shape::new([self.batch, self.longest, self.heads, self.head_size]);
        B::float_swap_dims(B::float_reshape(padded, shape), 1, 2)
    }

    /// The inverse of [`split`](Self::split); drops the padding.
    pub(crate) fn merge(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let shape = Shape::new([self.batch * self.longest, self.heads * self.head_size]);
        let rows = B::float_reshape(B::float_swap_dims(x, 1, 2), shape);
        B::float_select(rows, 0, self.packed_rows.clone())
    }

    /// 1 for tokens and 0 for padding, `[batch, 1, longest, 1]`: for what must not come from padded
    /// queries.
    pub(crate) fn query_mask(&self) -> FloatTensor<B> {
        // exp(-1e30) is 0.
        B::float_swap_dims(B::float_exp(self.mask.clone()), 2, 3)
    }

    /// Factor of the scores, `1 / √(head size)`.
    pub(crate) fn scale(&self) -> f64 {
        (self.head_size as f64).powf(-0.5)
    }

    /// `softmax(q · kᵀ / √d)` of split queries and keys, `[batch, heads, longest, longest]`.
    pub(crate) fn probabilities(
        &self,
        query: FloatTensor<B>,
        key: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let query = B::float_mul_scalar(query, self.scale().into());
        let scores = B::float_matmul(query, B::float_swap_dims(key, 2, 3));
        B::softmax(B::float_add(scores, self.mask.clone()), 3)
    }

    /// Dropout factors of the probabilities. The stream does not depend on the padding: one run of
    /// elements per (query token, head), padded to a multiple of 4.
    pub(crate) fn dropout_factors(
        &self,
        offsets: &Offsets,
        dropout: Dropout,
        like: &FloatTensor<B>,
    ) -> Option<FloatTensor<B>> {
        if dropout.is_none() {
            return None;
        }
        let (heads, longest) = (self.heads, self.longest);
        let stride = 1u64 << 32;
        let mut factors = vec![0.0; self.batch * heads * longest * longest];
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
        let shape = [self.batch, heads, longest, longest];
        Some(constant::<B>(factors, shape, like))
    }
}
