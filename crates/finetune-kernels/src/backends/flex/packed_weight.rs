//! Frozen weights in the form that the matrix kernels read.

use std::sync::{Arc, PoisonError};

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use burn_std::Bytes;

use super::values;
use crate::{
    Precision,
    matmul::{Matrix, PackedMatrix},
    ops::PackedWeight,
};

/// A weight and its packed form, for multiplications `x · weight`. Gradients of inputs pack it anew: a
/// second form would take as much memory again, to save some 2 % of a step.
pub(crate) struct PackedForm {
    /// Held so that its memory cannot become another tensor's: the same memory is the same weight.
    weight: Arc<Bytes>,
    precision: Precision,
    packed: Arc<PackedMatrix>,
}

impl PackedWeight {
    /// The packed form of `weight`, a plain matrix; made now, if it is not there.
    pub(super) fn get(
        &self,
        weight: &FloatTensor<Flex>,
        precision: Precision,
    ) -> Arc<PackedMatrix> {
        // A panic while packing leaves the slot as it was, which is a valid state.
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
