//! One head of a block of queries, which attend to all keys of their sequence.

use std::ops::Range;

use super::{Attention, Wanted};
use crate::{
    cpu::{
        multiversion::multiversion,
        softmax::{LANES, softmax, softmax_gradient},
    },
    matmul::{Matrix, multiply_here},
};

#[derive(Clone, Debug)]
pub(super) struct Block<'a> {
    pub(super) attention: Attention<'a>,
    pub(super) head: usize,
    pub(super) queries: Range<usize>,
    pub(super) keys: Range<usize>,
}

impl<'a> Block<'a> {
    /// Returns the distance in elements between rows of probabilities.
    pub(super) fn stride(keys: usize) -> usize {
        keys.next_multiple_of(LANES)
    }

    /// Computes the result in rows that contain all heads. `memory` has room for the probabilities.
    pub(super) fn result(&self, memory: &mut [f32], result: &mut [f32]) {
        let keys = self.keys.len();
        let stride = Self::stride(keys);
        let probabilities = &mut memory[..self.queries.len() * stride];
        self.probabilities(probabilities);
        let dropout = self.attention.dropout;
        if !dropout.is_none() {
            for (query, row) in self.rows().zip(probabilities.chunks_exact_mut(stride)) {
                dropout.multiply(query, &mut row[..keys]);
            }
        }
        let (value, width) = (self.value(), self.attention.width);
        self.multiply(self.matrix(probabilities), value, result, width, false);
    }

    /// Computes the wanted gradients, in rows `stride` apart. Those of key and value are added to the
    /// memory's contents if `accumulate`. `memory` has room for two elements per probability and a row.
    pub(super) fn gradients(
        &self,
        grad: &[f32],
        memory: &mut [f32],
        [query, key, value]: Wanted<'_>,
        stride: usize,
        accumulate: bool,
    ) {
        let length = self.queries.len() * Self::stride(self.keys.len());
        let (probabilities, memory) = memory.split_at_mut(length);
        let (scores, factors) = memory.split_at_mut(length);
        let grad = self.part(grad, &self.queries);
        let scores_wanted = query.is_some() || key.is_some();
        self.probabilities(probabilities);
        if scores_wanted {
            let columns = Self::stride(self.keys.len());
            self.multiply(grad, self.value().transpose(), scores, columns, false);
        }
        self.through_softmax(
            probabilities,
            scores_wanted.then_some(&mut *scores),
            factors,
        );
        let (probabilities, scores) = (self.matrix(probabilities), self.matrix(scores));
        if let Some(value) = value {
            self.multiply(probabilities.transpose(), grad, value, stride, accumulate);
        }
        if let Some(key) = key {
            self.multiply(scores.transpose(), self.query(), key, stride, accumulate);
        }
        if let Some(query) = query {
            self.multiply(scores, self.key(), query, stride, false);
        }
    }

    /// Computes `softmax(q · kᵀ / √d)`, in rows padded with zeros to whole vectors.
    fn probabilities(&self, probabilities: &mut [f32]) {
        let (keys, stride) = (self.keys.len(), Self::stride(self.keys.len()));
        let key = self.key().transpose();
        self.multiply(self.query(), key, probabilities, stride, false);
        softmax(probabilities, keys, stride, self.scale());
    }

    /// Turns the gradients of the probabilities after dropout, in `scores`, into those of the scores,
    /// and applies dropout to the probabilities. `factors` has room for a row.
    fn through_softmax(
        &self,
        probabilities: &mut [f32],
        mut scores: Option<&mut [f32]>,
        factors: &mut [f32],
    ) {
        let stride = Self::stride(self.keys.len());
        let (dropout, factors) = (self.attention.dropout, &mut factors[..stride]);
        let rows = probabilities.chunks_exact_mut(stride);
        for (index, (first, probabilities)) in self.rows().zip(rows).enumerate() {
            if !dropout.is_none() {
                dropout.fill(first, factors);
            }
            if let Some(scores) = &mut scores {
                let scores = &mut scores[index * stride..][..stride];
                // The multiplication has not written the padding.
                scores[self.keys.len()..].fill(0.0);
                if !dropout.is_none() {
                    multiply(scores, factors);
                }
                softmax_gradient(probabilities, scores, self.scale());
            }
            if !dropout.is_none() {
                multiply(probabilities, factors);
            }
        }
    }

    /// Iterates over the dropout elements at which the queries' rows start.
    fn rows(&self) -> impl Iterator<Item = u64> {
        let (head, heads) = (self.head, self.attention.shape.heads);
        let queries = self.queries.clone();
        queries.map(move |query| ((query * heads + head) as u64) << 32)
    }

    fn query(&self) -> Matrix<'a> {
        self.part(self.attention.query, &self.queries)
    }

    fn key(&self) -> Matrix<'a> {
        self.part(self.attention.key, &self.keys)
    }

    fn value(&self) -> Matrix<'a> {
        self.part(self.attention.value, &self.keys)
    }

    /// Returns the columns of this head in some rows, at least one.
    fn part<'x>(&self, x: &'x [f32], rows: &Range<usize>) -> Matrix<'x> {
        let (size, width) = (self.attention.head_size(), self.attention.width);
        let start = rows.start * width + self.head * size;
        let end = (rows.end - 1) * width + (self.head + 1) * size;
        Matrix::strided(&x[start..end], rows.len(), size, width)
    }

    /// Returns `x` as a matrix `[queries, keys]`.
    fn matrix<'x>(&self, x: &'x [f32]) -> Matrix<'x> {
        let keys = self.keys.len();
        Matrix::strided(x, self.queries.len(), keys, Self::stride(keys))
    }

    fn multiply(
        &self,
        a: Matrix<'_>,
        b: Matrix<'_>,
        result: &mut [f32],
        stride: usize,
        accumulate: bool,
    ) {
        let precision = self.attention.shape.precision;
        multiply_here(result, stride, a, b, accumulate, precision);
    }

    /// Returns the factor of the scores, `1 / √d`.
    fn scale(&self) -> f32 {
        (self.attention.head_size() as f32).sqrt().recip()
    }
}

multiversion! {
    fn multiply(x: &mut [f32], factors: &[f32]) {
        for (x, factor) in x.iter_mut().zip(factors) {
            *x *= factor;
        }
    }
}
