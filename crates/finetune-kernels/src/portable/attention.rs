use burn::{
    backend::{
        Backend, TensorMetadata,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::Shape,
};

use super::{constant, indices, product};
use crate::{AttentionShape, Dropout, Offsets, Precision};

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
    heads.queries.merge(heads.product(probabilities, value))
}

/// See [`EncoderGradients::attention_gradients`](crate::EncoderGradients::attention_gradients).
pub(crate) fn attention_gradients<B: Backend>(
    [query, key, value]: [FloatTensor<B>; 3],
    grad: FloatTensor<B>,
    shape: &AttentionShape,
    dropout: Dropout,
    wanted: [bool; 3],
) -> [Option<FloatTensor<B>>; 3] {
    let transpose = |x| B::float_swap_dims(x, 2, 3);
    let heads = Heads::<B>::new(&grad, shape);
    let (queries, keys) = (&heads.queries, &heads.keys);
    let grad = B::float_mul(queries.split(grad), queries.row_mask());
    let (query, key) = (queries.split(query), keys.split(key));
    let probabilities = heads.probabilities(query.clone(), key.clone());
    let factors = heads.dropout_factors(shape, dropout, &probabilities);
    let dropped = |x: FloatTensor<B>| match &factors {
        Some(factors) => B::float_mul(x, factors.clone()),
        None => x,
    };

    let value_gradient = wanted[2].then(|| {
        let dropped = transpose(dropped(probabilities.clone()));
        keys.merge(heads.product(dropped, grad.clone()))
    });
    if !wanted[0] && !wanted[1] {
        return [None, None, value_gradient];
    }
    let value = transpose(keys.split(value));
    let grad = dropped(heads.product(grad, value));
    // Of the softmax: p · (g - sum(g · p)).
    let weighted = B::float_mul(grad, probabilities.clone());
    let sum = B::float_sum_dim(weighted.clone(), 3);
    let scores = B::float_sub(weighted, B::float_mul(probabilities, sum));
    let scores = B::float_mul_scalar(scores, heads.scale().into());
    let key_gradient =
        wanted[1].then(|| keys.merge(heads.product(transpose(scores.clone()), query)));
    let query_gradient = wanted[0].then(|| queries.merge(heads.product(scores, key)));
    [query_gradient, key_gradient, value_gradient]
}

/// The ways from packed rows to heads with padding, and back.
struct Heads<B: Backend> {
    queries: Padding<B>,
    keys: Padding<B>,
    head_size: usize,
    precision: Precision,
}

impl<B: Backend> Heads<B> {
    /// For tensors like `packed`, `[tokens, heads · head size]`.
    fn new(packed: &FloatTensor<B>, shape: &AttentionShape) -> Self {
        let head_size = packed.shape()[1] / shape.heads;
        let padding = |offsets| Padding::new(packed, offsets, shape.heads, head_size);
        Self {
            queries: padding(&shape.queries),
            keys: padding(&shape.keys),
            head_size,
            precision: shape.precision,
        }
    }

    /// `a · b` of each head.
    fn product(&self, a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
        product::<B>(a, b, self.precision)
    }

    /// Factor of the scores, `1 / √(head size)`.
    fn scale(&self) -> f64 {
        (self.head_size as f64).powf(-0.5)
    }

    /// `softmax(q · kᵀ / √d)` of split queries and keys, `[batch, heads, queries, keys]`.
    fn probabilities(&self, query: FloatTensor<B>, key: FloatTensor<B>) -> FloatTensor<B> {
        let scores = self.product(query, B::float_swap_dims(key, 2, 3));
        let scores = B::float_mul_scalar(scores, self.scale().into());
        B::softmax(B::float_add(scores, self.keys.mask.clone()), 3)
    }

    /// Dropout factors of the probabilities. The stream does not depend on the padding: one run of
    /// elements per (query, head), padded to a multiple of 4.
    fn dropout_factors(
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
struct Padding<B: Backend> {
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
    fn split(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let padded = B::float_select(x, 0, self.padded_rows.clone());
        let shape = Shape::new([self.batch, self.longest, self.heads, self.head_size]);
        B::float_swap_dims(B::float_reshape(padded, shape), 1, 2)
    }

    /// The inverse of [`split`](Self::split); drops the padding.
    fn merge(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let shape = Shape::new([self.batch * self.longest, self.heads * self.head_size]);
        let rows = B::float_reshape(B::float_swap_dims(x, 1, 2), shape);
        B::float_select(rows, 0, self.packed_rows.clone())
    }

    /// 1 for tokens and 0 for padding, `[batch, 1, longest, 1]`: for what must not come from padded
    /// queries.
    fn row_mask(&self) -> FloatTensor<B> {
        // exp(-1e30) is 0.
        B::float_swap_dims(B::float_exp(self.mask.clone()), 2, 3)
    }
}
