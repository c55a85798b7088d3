//! Operations on the columns of a matrix.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{are_plain, empty, values, values_mut};
use crate::{
    backends::portable,
    cpu::{columns, norm},
};

/// Number of rows that a thread processes at a time, and that are in a partial sum.
const ROWS: usize = 64;

/// See [`EncoderOps::affine`](crate::ops::EncoderOps::affine).
pub(super) fn affine(
    x: FloatTensor<Flex>,
    scale: FloatTensor<Flex>,
    shift: FloatTensor<Flex>,
) -> FloatTensor<Flex> {
    let columns = x.shape()[1];
    if !are_plain([&x, &scale, &shift]) || columns == 0 {
        return portable::affine::<Flex>(x, scale, shift);
    }
    let mut result = empty(x.shape());
    let (scale, shift) = (values(&scale), values(&shift));
    values_mut(&mut result)
        .par_chunks_mut(ROWS * columns)
        .zip(values(&x).par_chunks(ROWS * columns))
        .for_each(|(result, x)| columns::affine(x, scale, shift, result));
    result
}

/// See [`EncoderOps::column_products`](crate::ops::EncoderOps::column_products).
pub(super) fn products(x: FloatTensor<Flex>, y: FloatTensor<Flex>) -> FloatTensor<Flex> {
    let columns = x.shape()[1];
    if !are_plain([&x, &y]) || columns == 0 {
        return portable::column_products::<Flex>(x, y);
    }
    let pairs = values(&x).par_chunks(ROWS * columns);
    let pairs = pairs.zip(values(&y).par_chunks(ROWS * columns));
    summed(
        columns,
        pairs.map(|(x, y)| {
            let mut sums = vec![0.0; columns];
            columns::add_products(x, y, &mut sums);
            sums
        }),
    )
}

/// See [`EncoderGradients::column_sums`](crate::ops::EncoderGradients::column_sums).
pub(super) fn sums(x: FloatTensor<Flex>) -> FloatTensor<Flex> {
    let columns = x.shape()[1];
    if !are_plain([&x]) || columns == 0 {
        return portable::column_sums::<Flex>(x);
    }
    summed(
        columns,
        values(&x).par_chunks(ROWS * columns).map(|rows| {
            let mut sums = vec![0.0; columns];
            for row in rows.chunks_exact(columns) {
                norm::add(&mut sums, row);
            }
            sums
        }),
    )
}

/// Adds up the sums of groups of rows, in their order.
fn summed(
    columns: usize,
    parts: impl IndexedParallelIterator<Item = Vec<f32>>,
) -> FloatTensor<Flex> {
    let parts: Vec<_> = parts.collect();
    let mut out = empty([columns]);
    let sums = values_mut(&mut out);
    sums.fill(0.0);
    for part in parts {
        norm::add(sums, &part);
    }
    out
}
