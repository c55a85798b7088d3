//! Attention within each sequence, directly on packed rows: its division into blocks and their
//! distribution over threads. The result of a block does not depend on the thread that computes it.

mod block;

use std::ops::Range;

use rayon::prelude::*;

use crate::{AttentionShape, Dropout, memory::Piece};
use block::Block;

/// Maximum number of queries in a block, so that the probabilities stay in the L2 cache.
const QUERIES: usize = 128;
/// Number of probabilities per head from which the heads of a sequence are distributed over threads,
/// although their gradients must then be copied into place.
const LONG: usize = 1 << 14;

/// The operands of attention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention<'a> {
    /// `[queries, width]`
    pub(crate) query: &'a [f32],
    /// `[keys, width]`
    pub(crate) key: &'a [f32],
    /// `[keys, width]`
    pub(crate) value: &'a [f32],
    /// Number of columns of all heads together.
    pub(crate) width: usize,
    pub(crate) shape: &'a AttentionShape,
    pub(crate) dropout: Dropout,
}

/// Memory for the wanted gradients among those of query, key, and value.
type Wanted<'a> = [Option<&'a mut [f32]>; 3];

/// Writes `softmax(q · kᵀ / √d) · v` to `result`, `[queries, width]`.
pub(crate) fn attention(attention: Attention<'_>, result: &mut [f32]) {
    let mut rest = result;
    let mut tasks = Vec::new();
    for (queries, keys) in attention.sequences() {
        for queries in blocks(queries) {
            let (block, others) = rest.split_at_mut(queries.len() * attention.width);
            tasks.push((queries, keys.clone(), block));
            rest = others;
        }
    }
    let tasks = tasks.into_par_iter().with_max_len(1);
    tasks.for_each(|(queries, keys, result)| attention.result(queries, keys, result));
}

/// Computes the wanted gradients from the gradient of the result, `[queries, width]`.
pub(crate) fn attention_gradients(attention: Attention<'_>, grad: &[f32], gradients: Wanted<'_>) {
    let mut rest = gradients;
    let mut tasks = Vec::new();
    for (queries, keys) in attention.sequences() {
        let rows = [queries.len(), keys.len(), keys.len()];
        let own = split(&mut rest, rows.map(|rows| rows * attention.width));
        tasks.push((queries, keys, own));
    }
    let tasks = tasks.into_par_iter().with_max_len(1);
    tasks.for_each(|(queries, keys, gradients)| {
        attention.sequence_gradients(queries, keys, grad, gradients);
    });
}

/// Splits the first elements off each gradient.
fn split<'a>(all: &mut Wanted<'a>, lengths: [usize; 3]) -> Wanted<'a> {
    let mut first = [None, None, None];
    for ((all, first), length) in all.iter_mut().zip(&mut first).zip(lengths) {
        if let Some(values) = all.take() {
            let (own, rest) = values.split_at_mut(length);
            (*first, *all) = (Some(own), Some(rest));
        }
    }
    first
}

/// Returns the parts beginning at `starts`.
fn tails<'a>(gradients: &'a mut Wanted<'_>, starts: [usize; 3]) -> Wanted<'a> {
    let mut starts = starts.into_iter();
    gradients.each_mut().map(|gradient| {
        let start = starts.next().unwrap_or(0);
        gradient.as_mut().map(|gradient| &mut gradient[start..])
    })
}

/// Divides queries into blocks of nearly equal lengths.
fn blocks(queries: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let count = queries.len().div_ceil(QUERIES).max(1);
    let length = queries.len().div_ceil(count).max(1);
    let starts = queries.clone().step_by(length);
    starts.map(move |start| start..(start + length).min(queries.end))
}

impl Attention<'_> {
    /// Iterates over the rows of each sequence's queries and keys.
    fn sequences(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        self.shape.queries.ranges().zip(self.shape.keys.ranges())
    }

    fn head_size(&self) -> usize {
        self.width / self.shape.heads
    }

    fn head(&self, head: usize, queries: Range<usize>, keys: Range<usize>) -> Block<'_> {
        Block {
            attention: *self,
            head,
            queries,
            keys,
        }
    }

    /// Computes the result of a block of queries.
    fn result(&self, queries: Range<usize>, keys: Range<usize>, result: &mut [f32]) {
        if keys.is_empty() {
            return result.fill(0.0);
        }
        let mut memory = Piece::new(queries.len() * Block::stride(keys.len()));
        for head in 0..self.shape.heads {
            let result = &mut result[head * self.head_size()..];
            let block = self.head(head, queries.clone(), keys.clone());
            block.result(memory.as_mut_slice(), result);
        }
    }

    /// Computes the contribution of a sequence to the gradients.
    fn sequence_gradients(
        &self,
        queries: Range<usize>,
        keys: Range<usize>,
        grad: &[f32],
        mut gradients: Wanted<'_>,
    ) {
        if queries.is_empty() || keys.is_empty() {
            let wanted = gradients.into_iter().flatten();
            return wanted.for_each(|gradient| gradient.fill(0.0));
        }
        if queries.len() * keys.len() >= LONG {
            return self.long_sequence_gradients(queries, keys, grad, gradients);
        }
        for head in 0..self.shape.heads {
            let block = self.head(head, queries.clone(), keys.clone());
            let gradients = tails(&mut gradients, [head * self.head_size(); 3]);
            head_gradients(block, grad, gradients, self.width);
        }
    }

    /// Does the work of [`sequence_gradients`](Self::sequence_gradients) with the heads distributed over
    /// threads; the gradients of each head are copied into place.
    fn long_sequence_gradients(
        &self,
        queries: Range<usize>,
        keys: Range<usize>,
        grad: &[f32],
        gradients: Wanted<'_>,
    ) {
        let size = self.head_size();
        let rows = [queries.len(), keys.len(), keys.len()];
        let wanted = gradients.each_ref().map(Option::is_some);
        let heads = (0..self.shape.heads).into_par_iter().with_max_len(1);
        let heads: Vec<[Piece; 3]> = heads
            .map(|head| {
                let mut pieces = rows.map(|rows| Piece::new(rows * size));
                let [query, key, value] = pieces.each_mut().map(Piece::as_mut_slice);
                let gradients = [
                    wanted[0].then_some(query),
                    wanted[1].then_some(key),
                    wanted[2].then_some(value),
                ];
                let block = self.head(head, queries.clone(), keys.clone());
                head_gradients(block, grad, gradients, size);
                pieces
            })
            .collect();
        for (index, gradient) in gradients.into_iter().enumerate() {
            let rows = gradient
                .into_iter()
                .flat_map(|x| x.chunks_exact_mut(self.width));
            for (number, row) in rows.enumerate() {
                for (part, pieces) in row.chunks_exact_mut(size).zip(&heads) {
                    part.copy_from_slice(&pieces[index].as_slice()[number * size..][..size]);
                }
            }
        }
    }
}

/// Computes the contribution of a head of a sequence to the gradients, in rows `stride` apart.
fn head_gradients(head: Block<'_>, grad: &[f32], mut gradients: Wanted<'_>, stride: usize) {
    let first = head.queries.start;
    let rows = head.queries.len().min(QUERIES);
    let mut memory = Piece::new((2 * rows + 1) * Block::stride(head.keys.len()));
    for queries in blocks(head.queries.clone()) {
        let is_first = queries.start == first;
        let gradients = tails(&mut gradients, [(queries.start - first) * stride, 0, 0]);
        let block = Block {
            queries,
            ..head.clone()
        };
        block.gradients(grad, memory.as_mut_slice(), gradients, stride, !is_first);
    }
}
