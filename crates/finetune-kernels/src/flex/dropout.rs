//! Dropout without a mask in memory.

use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

use super::{CHUNK, are_plain, values_mut};
use crate::{Dropout, portable};

/// See [`EncoderOps::dropout`](crate::EncoderOps::dropout).
pub(crate) fn dropout(mut x: FloatTensor<Flex>, dropout: Dropout) -> FloatTensor<Flex> {
    if dropout.is_none() {
        return x;
    }
    if !are_plain([&x]) {
        return portable::dropout::<Flex>(x, dropout);
    }
    values_mut(&mut x)
        .par_chunks_mut(CHUNK)
        .enumerate()
        .for_each(|(index, chunk)| dropout.multiply((index * CHUNK) as u64, chunk));
    x
}
