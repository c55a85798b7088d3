//! Dropout that stores no mask.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{CHUNK, are_plain, empty, values, values_mut};
use crate::{Dropout, backends::portable};

/// See [`EncoderOps::dropout`](crate::ops::EncoderOps::dropout).
pub(crate) fn dropout(mut x: FloatTensor<Flex>, dropout: Dropout) -> FloatTensor<Flex> {
    if dropout.is_none() {
        return x;
    }
    if !are_plain([&x]) {
        return portable::dropout::<Flex>(x, dropout);
    }
    if x.is_unique() {
        values_mut(&mut x)
            .par_chunks_mut(CHUNK)
            .enumerate()
            .for_each(|(index, chunk)| dropout.multiply((index * CHUNK) as u64, chunk));
        return x;
    }
    let mut result = empty(x.shape());
    values_mut(&mut result)
        .par_chunks_mut(CHUNK)
        .zip(values(&x).par_chunks(CHUNK))
        .enumerate()
        .for_each(|(index, (result, x))| {
            result.copy_from_slice(x);
            dropout.multiply((index * CHUNK) as u64, result);
        });
    result
}
