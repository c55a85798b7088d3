//! The cache of frozen weights in the layout of the matrix kernels.

use std::sync::{Arc, PoisonError};

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use burn_std::Bytes;

use super::values;
use crate::{
    Precision,
    matmul::{Matrix, PackedMatrix},
    ops::PackedWeight,
};

/// A weight and its packed form, for multiplications `x · weight`. Gradients of inputs pack the
/// transpose each time: caching that too would take the same memory again, to save some 2 % of a step.
pub(crate) struct PackedForm {
    /// Kept so that its memory cannot be reused for another tensor: the address identifies the weight.
    weight: Arc<Bytes>,
    precision: Precision,
    packed: Arc<PackedMatrix>,
}

impl PackedWeight {
    /// Returns the packed form of `weight`, a plain matrix, creating it if necessary.
    pub(super) fn get(
        &self,
        weight: &FloatTensor<Flex>,
        precision: Precision,
    ) -> Arc<PackedMatrix> {
        // A panic while packing leaves the slot unchanged and valid.
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = weight.data_arc();
        let is_same =
            |form: &&PackedForm| Arc::ptr_eq(&form.weight, &memory) && form.precision == precision;
        if let Some(form) = slot.as_ref().filter(is_same) {
            return Arc::clone(&form.packed);
        }
        let shape = weight.shape();
        let matrix = Matrix::new(values(weight), shape[0], shape[1]);
        let packed = Arc::new(PackedMatrix::new(matrix, precision));
        *slot = Some(PackedForm {
            weight: memory,
            precision,
            packed: Arc::clone(&packed),
        });
        packed
    }
}
