use burn::{
    backend::{
        Backend, TensorMetadata,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::Shape,
};

use super::{constant, indices};
use crate::{AttentionShape, Dropout, Offsets};

/// Far below any score, so that its exponential is exactly zero.
const MASKED: f32 = -1e30;

/// See [`EncoderOps::attention`](crate::EncoderOps::attention). Pads to the longest sequence
/// inside; padded rows carry the first row's values, are masked as keys and never read as queries.
pub(crate) fn attention<B: Backend>(
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    value: FloatTensor<B>,
    shape: &AttentionShape,
    dropout: Dropout,
) -> FloatTensor<B> {
    let heads = Heads::<B>::new(&query, shape);
    let (query, key) = (heads.queries.split(query), heads.keys.split(key));
    let mut probabilities = heads.probabilities(query, key);
    if let Some(factors) = heads.dropout_factors(shape, dropout, &probabilities) {
        probabilities = B::float_mul(probabilities, factors);
    }
    let value = heads.keys.split(value);
    heads.queries.merge(B::float_matmul(probabilities, value))
}

/// The ways from packed rows to heads with padding, and back.
pub(crate) struct Heads<B: Backend> {
    pub(crate) queries: Padding<B>,
    pub(crate) keys: Padding<B>,
    head_size: usize,
}

impl<B: Backend> Heads<B> {
    /// For tensors like `packed`, `[tokens, heads · head size]`.
    pub(crate) fn new(packed: &FloatTensor<B>, shape: &AttentionShape) -> Self {
        let head_size = packed.shape()[1] / shape.heads;
        let padding = |offsets| Padding::new(packed, offsets, shape.heads, head_size);
        Self {
            queries: padding(&shape.queries),
            keys: padding(&shape.keys),
            head_size,
        }
    }

    /// Factor of the scores, `1 / √(head size)`.
    pub(crate) fn scale(&self) -> f64 {
        (self.head_size as f64).powf(-0.5)
    }

    /// `softmax(q · kᵀ / √d)` of split queries and keys, `[batch, heads, queries, keys]`.
    pub(crate) fn probabilities(
        &self,
        query: FloatTensor<B>,
        key: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let query = B::float_mul_scalar(query, self.scale().into());
        let scores = B::float_matmul(query, B::float_swap_dims(key, 2, 3));
        B::softmax(B::float_add(scores, self.keys.mask.clone()), 3)
    }

    /// Dropout factors of the probabilities. The stream does not depend on the padding: one run of
    /// elements per (query, head), padded to a multiple of 4.
    pub(crate) fn dropout_factors(
        &self,
        shape: &AttentionShape,
        dropout: Dropout,
        like: &FloatTensor<B>,
    ) -> Option<FloatTensor<B>> {
        if dropout.is_none() {
            return None;
        }
        let (batch, heads) = (shape.queries.batch_size(), shape.heads);
        let (longest, longest_key) = (self.queries.longest, self.keys.longest);
        let stride = 1u64 << 32;
        let mut factors = vec![0.0; batch * heads * longest * longest_key];
        let ranges = shape.queries.ranges().zip(shape.keys.ranges());
        for (sequence, (rows, keys)) in ranges.enumerate() {
            for (position, row) in rows.enumerate() {
                for head in 0..heads {
                    let start = ((sequence * heads + head) * longest + position) * longest_key;
                    dropout.fill(
                        (row * heads + head) as u64 * stride,
                        &mut factors[start..start + keys.len()],
                    );
                }
            }
        }
        let shape = [batch, heads, longest, longest_key];
        Some(constant::<B>(factors, shape, like))
    }
}

/// The way from packed rows to heads with padding, and back.
pub(crate) struct Padding<B: Backend> {
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

impl<B: Backend> Padding<B> {
    fn new(packed: &FloatTensor<B>, offsets: &Offsets, heads: usize, head_size: usize) -> Self {
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
            head_size,
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
    pub(crate) fn row_mask(&self) -> FloatTensor<B> {
        // exp(-1e30) is 0.
        B::float_swap_dims(B::float_exp(self.mask.clone()), 2, 3)
    }
}
