//! The gradient of an embedding table.

use burn::{
    backend::{Flex, TensorMetadata, tensor::FloatTensor},
    tensor::TensorData,
};

use super::{are_plain, values};
use crate::portable;

/// See [`EncoderOps::embedding_gradient`](crate::EncoderOps::embedding_gradient). The zeros come
/// from the system, which gives memory only to the rows that are written; Burn's own zeros are
/// copied, and a large table is in memory twice.
pub(crate) fn embedding_gradient(
    grad: FloatTensor<Flex>,
    ids: &[u32],
    rows: usize,
) -> FloatTensor<Flex> {
    if !are_plain([&grad]) {
        return portable::embedding_gradient::<Flex>(grad, ids, rows);
    }
    let hidden = grad.shape()[1];
    let mut table = vec![0.0f32; rows * hidden];
    for (&id, grad) in ids.iter().zip(values(&grad).chunks_exact(hidden)) {
        let row = &mut table[id as usize * hidden..][..hidden];
        for (sum, grad) in row.iter_mut().zip(grad) {
            *sum += grad;
        }
    }
    FloatTensor::<Flex>::from_data(TensorData::new(table, [rows, hidden]))
}
