//! Attention by padding to the longest sequence.

use burn::{
    backend::{
        Backend, TensorMetadata,
        tensor::{Device, FloatTensor, IntTensor},
    },
    tensor::{DType, Shape},
};

use super::{
    matmul,
    upload::{constant, integers},
};
use crate::{
    Dropout, Offsets, Precision,
    ops::{Attention, AttentionBackward, AttentionShape, EncoderOps},
};

/// The score of a masked key, so low that its exponential is exactly zero.
const MASKED: f32 = -1e30;

/// See [`EncoderOps::attention`]. Pads to the longest sequence internally: padding rows repeat the first
/// row, are masked as keys, and never read as queries.
pub(crate) fn attention<B: Backend>(operation: Attention<B>) -> FloatTensor<B> {
    let Attention {
        query,
        key,
        value,
        shape,
        dropout,
    } = operation;
    let heads = Heads::<B>::new(&query, &shape);
    let (query, key) = (heads.queries.split(query), heads.keys.split(key));
    let mut probabilities = heads.probabilities(query, key);
    if let Some(factors) = heads.dropout_factors(&shape, dropout, &probabilities) {
        probabilities = B::float_mul(probabilities, factors);
    }
    let value = heads.keys.split(value);
    heads.queries.merge(heads.matmul(probabilities, value))
}

/// The operands, which attention keeps. The probabilities are recomputed: their size grows with the
/// square of the length, and their cost is small beside the surrounding linear layers.
#[derive(Clone, Debug)]
pub struct AttentionKept<B: Backend>(pub(crate) Attention<B>);

impl<B: EncoderOps> AttentionBackward<B> for AttentionKept<B> {
    fn attention(operation: Attention<B>) -> (FloatTensor<B>, Self) {
        let kept = Self(operation.clone());
        (attention(operation), kept)
    }

    fn gradients(self, grad: FloatTensor<B>, wanted: [bool; 3]) -> [Option<FloatTensor<B>>; 3] {
        let Attention {
            query,
            key,
            value,
            shape,
            dropout,
        } = self.0;
        let transpose = |x| B::float_swap_dims(x, 2, 3);
        let heads = Heads::<B>::new(&grad, &shape);
        let (queries, keys) = (&heads.queries, &heads.keys);
        let grad = B::float_mul(queries.split(grad), queries.row_mask());
        let (query, key) = (queries.split(query), keys.split(key));
        let probabilities = heads.probabilities(query.clone(), key.clone());
        let factors = heads.dropout_factors(&shape, dropout, &probabilities);
        let dropped = |x: FloatTensor<B>| match &factors {
            Some(factors) => B::float_mul(x, factors.clone()),
            None => x,
        };

        let value_gradient = wanted[2].then(|| {
            let dropped = transpose(dropped(probabilities.clone()));
            keys.merge(heads.matmul(dropped, grad.clone()))
        });
        if !wanted[0] && !wanted[1] {
            return [None, None, value_gradient];
        }
        let value = transpose(keys.split(value));
        let grad = dropped(heads.matmul(grad, value));
        // The gradient of softmax is p · (g - sum(g · p)).
        let weighted = B::float_mul(grad, probabilities.clone());
        let sum = B::float_sum_dim(weighted.clone(), 3);
        let scores = B::float_sub(weighted, B::float_mul(probabilities, sum));
        let scores = B::float_mul_scalar(scores, heads.scale().into());
        let key_gradient =
            wanted[1].then(|| keys.merge(heads.matmul(transpose(scores.clone()), query)));
        let query_gradient = wanted[0].then(|| queries.merge(heads.matmul(scores, key)));
        [query_gradient, key_gradient, value_gradient]
    }
}

/// Converts packed rows to padded heads and back, for queries and for keys.
pub(super) struct Heads<B: Backend> {
    pub(super) queries: Splitting<B>,
    pub(super) keys: Splitting<B>,
    head_size: usize,
    precision: Precision,
}

impl<B: Backend> Heads<B> {
    /// Prepares for tensors like `packed`, `[tokens, heads · head_size]`.
    pub(super) fn new(packed: &FloatTensor<B>, shape: &AttentionShape) -> Self {
        let head_size = packed.shape()[1] / shape.heads;
        let splitting = |offsets| Splitting {
            padding: Padding::of(offsets, packed),
            heads: shape.heads,
            head_size,
        };
        Self {
            queries: splitting(&shape.queries),
            keys: splitting(&shape.keys),
            head_size,
            precision: shape.precision,
        }
    }

    /// Computes `a · b` for each head.
    pub(super) fn matmul(&self, a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
        matmul::<B>(a, b, self.precision)
    }

    /// Returns the factor of the scores, `1 / √head_size`.
    pub(super) fn scale(&self) -> f64 {
        (self.head_size as f64).powf(-0.5)
    }

    /// Computes `softmax(q · kᵀ / √d)` of split queries and keys, `[batch, heads, queries, keys]`.
    fn probabilities(&self, query: FloatTensor<B>, key: FloatTensor<B>) -> FloatTensor<B> {
        B::softmax(self.scores(query, key), 3)
    }

    /// Computes `q · kᵀ / √d` of split queries and keys, `[batch, heads, queries, keys]`, with padding
    /// masked.
    pub(super) fn scores(&self, query: FloatTensor<B>, key: FloatTensor<B>) -> FloatTensor<B> {
        let scores = self.matmul(query, B::float_swap_dims(key, 2, 3));
        let scores = B::float_mul_scalar(scores, self.scale().into());
        B::float_add(scores, self.keys.padding.mask.clone())
    }

    /// Computes the dropout factors of the probabilities. They do not depend on the padding, since each
    /// (query, head) has a separate range of elements.
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
        let (longest, longest_key) = (self.queries.padding.longest, self.keys.padding.longest);
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

/// Converts packed rows to padded heads and back.
pub(super) struct Splitting<B: Backend> {
    padding: Padding<B>,
    heads: usize,
    head_size: usize,
}

impl<B: Backend> Splitting<B> {
    /// Converts `[tokens, heads · head_size]` to `[batch, heads, longest, head_size]`.
    pub(super) fn split(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let Padding { batch, longest, .. } = self.padding;
        let padded = B::float_select(x, 0, self.padding.padded_rows.clone());
        let shape = Shape::new([batch, longest, self.heads, self.head_size]);
        B::float_swap_dims(B::float_reshape(padded, shape), 1, 2)
    }

    /// Inverts [`split`](Self::split) and removes the padding.
    pub(super) fn merge(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let Padding { batch, longest, .. } = self.padding;
        let shape = Shape::new([batch * longest, self.heads * self.head_size]);
        let rows = B::float_reshape(B::float_swap_dims(x, 1, 2), shape);
        B::float_select(rows, 0, self.padding.packed_rows.clone())
    }

    /// Returns 1 for tokens and 0 for padding, `[batch, 1, longest, 1]`, to exclude the contributions of
    /// padding queries.
    pub(super) fn row_mask(&self) -> FloatTensor<B> {
        // exp(-1e30) is 0.
        B::float_swap_dims(B::float_exp(self.padding.mask.clone()), 2, 3)
    }
}

/// The device form of the sequences' bounds, which all layers and both passes share.
#[derive(Clone)]
struct Padding<B: Backend> {
    batch: usize,
    longest: usize,
    /// For each padded row, the packed row; for padding, the first one.
    padded_rows: IntTensor<B>,
    /// For each packed row, the padded row.
    packed_rows: IntTensor<B>,
    /// 0 for tokens and [`MASKED`] for padding, `[batch, 1, 1, longest]`.
    mask: FloatTensor<B>,
    device: Device<B>,
    dtype: DType,
}

impl<B: Backend> Padding<B> {
    /// Returns the form for the device and the type of `like`, which is created once per batch.
    fn of(offsets: &Offsets, like: &FloatTensor<B>) -> Self {
        let (device, dtype) = (like.device(), like.dtype());
        let is_wanted = |form: &Self| form.device == device && form.dtype == dtype;
        offsets.forms().get(is_wanted, || Self::new(offsets, like))
    }

    fn new(offsets: &Offsets, like: &FloatTensor<B>) -> Self {
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
        let upload = |rows: Vec<u32>| {
            let length = rows.len();
            integers::<B>(rows.into_iter(), [length], like)
        };
        Self {
            batch,
            longest,
            padded_rows: upload(padded_rows),
            packed_rows: upload(packed_rows),
            mask: constant::<B>(mask, [batch, 1, 1, longest], like),
            device: like.device(),
            dtype: like.dtype(),
        }
    }
}
